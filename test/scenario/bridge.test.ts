// Into Leads Inbox where the Channels API answers (B1 to B3): the stand-in's inbox knows only what comes over the manifest's
// endpoints and the API, and complains about every field that is not as documented.
import { describe, expect, test } from 'vitest';
import type { Channel } from '../../src/web/contract.ts';
import { bothDatabases } from '../support/databases.ts';
import { pdfFile, pngFile } from '../support/files.ts';
import { bridged, conversationThere } from '../support/leads-inbox.ts';
import { until } from '../support/wait.ts';
import { newNumber } from '../support/world.ts';

describe.each(bothDatabases)('on %s', (database) => {
  test('history appears on connect, a message arrives, an answer typed there reaches the customer, ticks follow (B1, B2, B3)', async () => {
    const { sandbox, rep, whatsapp, inbox, settled } = await bridged({ database });
    const { number, channel } = await whatsapp();
    const shown = await until(() => inbox.channelOf(channel.id), 'the channel in Leads Inbox');
    const customer = sandbox.twilio.customer(newNumber(), { name: 'Hannah Whitcombe-Sjögren' });

    await customer.writes('Is the blue one in stock? ☀️', { to: number });
    const there = await until(() => shown.conversations[0], 'the conversation there');
    await until(() => there.messages[0], 'the message there');
    expect(there.messages[0]).toMatchObject({ message: 'Is the blue one in stock? ☀️', status: 'delivered' });
    expect(there.participants.map(({ name, role }) => [name, role])).toEqual([
      ['WhatsApp Gothenburg', 'source_user'],
      ['Hannah Whitcombe-Sjögren', 'end_user'],
    ]);

    const written = await inbox.write(shown, there.id, { text: 'Yes, it is. Shall I put it aside?' });
    expect(written).toMatchObject({ status: 200 });
    await until(() => customer.inbox.length === 1, 'the answer on the phone');
    expect(customer.inbox[0]!.body).toBe('Yes, it is. Shall I put it aside?');
    await customer.reads();
    await until(() => there.messages.at(-1)?.status === 'read', 'the ticks there');
    const messages = await rep.messages(there.id);
    expect(messages.at(-1)).toMatchObject({ id: written.id, direction: 'outbound', author: { name: 'Leads Inbox' } });

    await rep.sends(there.id, 'It is on the shelf with your name on it.');
    await until(() => there.messages.at(-1)?.message.includes('on the shelf'), 'our own answer there');
    await settled();
    expect(inbox.problems).toEqual([]);
  });
});

test('what was said before the channel was connected is there from the start, without a push for each message (B1, C13)', async () => {
  const here = await bridged();
  const { meta } = here.sandbox;
  const person = meta.addPerson({ name: 'Erik Lund' });
  const page = meta.addPage({ name: 'Nordtak Sverige', ownedBy: person });
  const [hannah, gustav] = ['Hannah', 'Gustav'].map((name) => meta.customer({ name }));
  await hannah!.writes('Long ago', { to: page });
  await hannah!.writes('And again', { to: page });
  await gustav!.writes('Me too', { to: page });
  const begun = await here.admin.call<{ login: string; authorizeUrl: string }>('POST', '/api/channels/messenger/login');
  await fetch(meta.authorize(person, begun.body.authorizeUrl));
  const connected = await here.admin.call<{ data: Channel[] }>('POST', '/api/channels/messenger', {
    login: begun.body.login,
    pageIds: [page.id],
    visibility: 'shared',
  });

  const shown = await until(() => here.inbox.channelOf(connected.body.data[0]!.id), 'the channel in Leads Inbox');
  await until(() => shown.conversations.length === 2, 'both conversations');
  await here.settled();

  const texts = shown.conversations.map(({ messages }) => messages.map(({ message }) => message).sort());
  expect(texts.sort()).toEqual([['And again', 'Long ago'], ['Me too']]);
  expect(here.inbox.received).toEqual([]);
  expect(here.inbox.problems).toEqual([]);
});

test('who writes for the first time has his name and picture there, though the provider tells them only when asked (B1)', async () => {
  const here = await bridged();
  const { channel, page } = await here.messenger();
  const shown = await until(() => here.inbox.channelOf(channel.id), 'the channel in Leads Inbox');
  const linnea = here.sandbox.meta.customer({
    name: 'Linnea Holmqvist',
    picture: { ...pngFile(), contentType: 'image/png' },
  });
  here.sandbox.faults.next('meta', { method: 'GET', path: /profile_pic/ }, { kind: 'delay', ms: 700 });

  await linnea.writes('Hej!', { to: page });
  const there = await until(() => shown.conversations[0], 'the conversation there');

  expect(there.participants.find(({ role }) => role === 'end_user')).toMatchObject({
    name: 'Linnea Holmqvist',
    avatar_url: expect.stringMatching(/^http/) as string,
    avatar_expires: true,
  });
  await here.settled();
  expect(here.inbox.problems).toEqual([]);
});

test('a picture shows there and still does when its link has expired; what is no picture and no text is said in words (B1, C6)', async () => {
  const here = await bridged();
  const { number, channel } = await here.whatsapp();
  const shown = await until(() => here.inbox.channelOf(channel.id), 'the channel in Leads Inbox');
  const customer = here.sandbox.twilio.customer(newNumber(), { name: 'Hannah' });

  const photo = pngFile();
  await customer.sendsPhoto({ ...photo, contentType: 'image/png' }, { to: number, caption: 'The chimney side' });
  const there = await until(() => shown.conversations[0], 'the conversation there');
  const message = await until(
    () => there.messages.find(({ attachments }) => attachments.length === 1),
    'the picture there',
  );
  expect(message).toMatchObject({
    message: 'The chimney side',
    attachments: [{ type: 'image/png', size: photo.bytes.length, link_expires: true }],
  });
  const [picture] = message.attachments;
  expect(picture!.preview_url).toBe(picture!.url);
  expect(await statusOf(picture!.url, 'HEAD')).toBe(200);

  here.clock.advance(6 * 3_600_000);
  expect(await statusOf(picture!.url, 'HEAD')).toBe(404);
  const renewed = await here.inbox.linkOf(shown, there.id, message.id, picture!.id);
  expect(renewed).not.toBe(picture!.url);
  expect(await statusOf(renewed!, 'GET')).toBe(200);

  await customer.writes('', { to: number, params: { Latitude: '57.7', Longitude: '11.97', Label: 'Björkvägen 12' } });
  await until(() => there.messages.length === 2 && there.messages[1]!.message !== '', 'the place in words');
  expect(here.inbox.problems).toEqual([]);
});

test('files written there go out as they are, several as several messages, and are shown in our inbox (B3, C7)', async () => {
  const here = await bridged();
  const { shown, customer, there } = await conversationThere(here, 'May I see it?');

  const files = [
    { ...pngFile('roof.png'), type: 'image/png' },
    { ...pdfFile('offer.pdf'), type: 'application/pdf' },
  ];
  const written = await here.inbox.write(shown, there.id, { text: 'Here it is', files });

  expect(written.status).toBe(200);
  await until(() => customer.inbox.length === 2, 'both on the phone');
  expect(customer.inbox.map(({ body, media }) => [body, media.map(({ contentType }) => contentType)])).toEqual([
    ['Here it is', ['image/png']],
    ['', ['application/pdf']],
  ]);
  await until(() => there.messages.filter(({ attachments }) => attachments.length === 1).length === 2, 'both there');
  const ours = await here.rep.messages(there.id);
  expect(ours.at(-2)).toMatchObject({ id: written.id, author: { name: 'Leads Inbox' }, kind: 'image' });
  const refused = await here.inbox.write(shown, there.id, {
    files: [{ name: 'run.exe', bytes: Buffer.from('MZ\u0090 not for anybody'), type: 'application/x-msdownload' }],
  });
  expect(refused).toMatchObject({ status: 400, code: 'INVALID_BODY' });
  expect(here.inbox.problems).toEqual([]);
});

test('recipients are understood however they are spelt (B3)', async () => {
  const here = await bridged();
  const { shown, customer, there } = await conversationThere(here, 'Hello?');
  const spellings = ['brackets', 'plain', 'joined', 'repeated'] as const;

  for (const spelling of spellings)
    expect(await here.inbox.write(shown, there.id, { text: spelling, spelling })).toMatchObject({ status: 200 });

  await until(() => customer.inbox.length === spellings.length, 'the answers on the phone');
  expect(customer.inbox.map(({ body }) => body)).toEqual(spellings);
});

describe.each(bothDatabases)('on %s', (database) => {
  test('a double submit sends once, and so do two at the same moment; the same words a while later are new (B3, R-02)', async () => {
    const here = await bridged({ database });
    const { shown, customer, there } = await conversationThere(here, 'Is it there?');
    const submit = () =>
      here.inbox.write(shown, there.id, { text: 'Yes', files: [{ ...pngFile(), type: 'image/png' }] });

    const [first, second] = await Promise.all([submit(), submit()]);
    const third = await submit();
    await here.settled();
    expect(new Set([first.id, second.id, third.id]).size).toBe(1);
    expect(customer.inbox).toHaveLength(1);

    here.clock.advance(60_000);
    const later = await submit();
    await here.settled();
    expect(later.id).not.toBe(first.id);
    expect(customer.inbox).toHaveLength(2);
  });
});

describe.each(bothDatabases)('on %s', (database) => {
  test('two contacts that turn out to be one are one there too, with all that was said, and are answered from there (B2, C11)', async () => {
    const here = await bridged({ database });
    const { number, channel } = await here.whatsapp();
    const shown = await until(() => here.inbox.channelOf(channel.id), 'the channel in Leads Inbox');
    const { twilio } = here.sandbox;
    const phone = newNumber();
    await twilio.customer(phone, { name: 'Lia by number', bsuid: null }).writes('first', { to: number });
    const known = await here.rep.conversationWith('Lia by number');
    const hidden = twilio.customer('BR.1A2B3C4D5E6F7A8B9C0D', { name: 'lia.design' });
    await hidden.writes('second', { to: number });
    const { id: secret } = await here.rep.conversationWith('lia.design');
    await here.rep.sends(secret, 'to the id');
    await until(() => shown.conversations.flatMap(({ messages }) => messages).length === 3, 'all of it there');

    twilio.state.people.find(({ address }) => address === `whatsapp:${phone}`)!.userId = hidden.address;
    const lia = twilio.customer(phone, { name: 'Lia' });
    await lia.writes('third', { to: number });

    await until(() => shown.conversations.length === 1, 'one conversation there');
    const there = shown.conversations[0]!;
    await until(() => there.messages.length === 4, 'all that was said');
    expect(there.id).toBe(known.id);
    expect(there.messages.map(({ message }) => message)).toEqual(['first', 'second', 'to the id', 'third']);
    const sides = there.participants.map(({ id }) => id);
    expect(there.messages.every(({ sender_id: sender }) => sides.includes(sender))).toBe(true);
    expect(await here.inbox.write(shown, there.id, { text: 'Hello Lia' })).toMatchObject({ status: 200 });
    await until(() => lia.inbox.some(({ body }) => body === 'Hello Lia'), 'the answer on the phone');
    await here.settled();
    expect(here.inbox.problems).toEqual([]);
  });
});

test('outside the reply window a template’s words go as that template, and no others go (B3, C9)', async () => {
  const here = await bridged();
  const { number, channel } = await here.whatsapp();
  const shown = await until(() => here.inbox.channelOf(channel.id), 'the channel in Leads Inbox');
  const { twilio } = here.sandbox;
  twilio.addTemplate([...twilio.state.accounts.values()].at(-1)!, {
    name: 'visit_reminder',
    language: 'sv',
    body: 'Hej {{1}}! Vi kommer på {{2}}. (Svara {{1}})',
    variables: { 1: 'Anna', 2: 'fredag' },
  });
  // Whatever was asked for before is forgotten by then.
  here.clock.advance(6 * 60_000);
  const customer = twilio.customer(newNumber(), { name: 'Johan Mattsson' });
  await customer.writes('Hej!', { to: number });
  const there = await until(() => shown.conversations[0], 'the conversation there');
  const answer = await here.asPipedrive('GET', `/${channel.id}/templates`);
  expect(answer.body).toMatchObject({
    success: true,
    data: {
      templates: [{ name: 'visit_reminder', language: 'sv', content: expect.stringContaining('{{1}}') as string }],
    },
  });

  here.clock.advance(24 * 3_600_000 + 1_000);
  const send = (text: string) => here.inbox.write(shown, there.id, { text });
  expect(await send('Just some words')).toMatchObject({ status: 400, code: 'INVALID_BODY' });
  expect(await send('Hej {{1}}! Vi kommer på {{2}}. (Svara {{1}})')).toMatchObject({ status: 400 });
  expect(await send('Hej Johan! Vi kommer på torsdag. (Svara Anna)')).toMatchObject({ status: 400 });
  const sent = await send('Hej Johan! Vi kommer på torsdag kl 9. (Svara Johan)');

  expect(sent).toMatchObject({ status: 200 });
  const received = await until(() => customer.inbox.at(-1), 'the template on the phone');
  expect(received.body).toBe('Hej Johan! Vi kommer på torsdag kl 9. (Svara Johan)');
  await until(
    () => there.messages.some(({ id, status }) => id === sent.id && status === 'delivered'),
    'its ticks there',
  );
  expect(here.inbox.problems).toEqual([]);
});

test('what is not to be taken is refused before it is sent: other parties, no words, too many, a form beyond all measure (B1, B3)', async () => {
  const here = await bridged();
  const { channel, customer, there } = await conversationThere(here, 'Hello?');
  const contactId = there.participants.find(({ role }) => role === 'end_user')!.id;
  const submit = async (fields: Record<string, string>, more?: (form: FormData) => void) => {
    const form = new FormData();
    const all = {
      conversationId: there.id,
      senderId: channel.id,
      'recipientIds[]': contactId,
      message: 'Hi',
      ...fields,
    };
    for (const [name, value] of Object.entries(all)) form.append(name, value);
    more?.(form);
    const { status, body } = await here.asPipedrive('POST', `/${channel.id}/messages`, { body: form });
    return [status, (body.data as { code?: string }).code];
  };

  expect.soft(await submit({ senderId: contactId })).toEqual([400, 'INVALID_BODY']);
  expect.soft(await submit({ 'recipientIds[]': channel.id })).toEqual([400, 'INVALID_BODY']);
  expect.soft(await submit({ recipientIds: 'somebody else' })).toEqual([400, 'INVALID_BODY']);
  expect.soft(await submit({ conversationId: 'nowhere' })).toEqual([404, 'NOT_FOUND']);
  expect.soft(await submit({ message: '' })).toEqual([400, 'INVALID_BODY']);
  expect.soft(await submit({ message: 'x'.repeat(1_601) })).toEqual([400, 'INVALID_BODY']);
  expect.soft(await submit({ message: 'x'.repeat(300_000) })).toEqual([400, 'INVALID_BODY']);
  const file = (bytes: number) => new Blob([new Uint8Array(bytes)], { type: 'image/png' });
  expect
    .soft(await submit({}, (form) => form.append('files', file(26 * 1024 * 1024), 'a.png')))
    .toEqual([413, 'INVALID_BODY']);
  const many = (form: FormData): void => {
    for (let count = 0; count < 11; count += 1) form.append('files', file(10), 'a.png');
  };
  expect.soft(await submit({}, many)).toEqual([400, 'INVALID_BODY']);
  const noForm = await here.asPipedrive('POST', `/${channel.id}/messages`, {
    body: '{"message":"Hi"}',
    headers: { 'content-type': 'application/json' },
  });
  expect.soft(noForm.status).toBe(415);
  await here.settled();
  expect(customer.inbox).toEqual([]);
});

async function statusOf(url: string, method: string): Promise<number> {
  return (await fetch(url, { method })).status;
}
