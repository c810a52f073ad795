// What people do on Messenger, and what a reply does there, as the inbox shows it (C5, C7, C9, C10).
import { describe, expect, test } from 'vitest';
import type { Channel, Message } from '../../src/web/contract.ts';
import { pngFile } from '../support/files.ts';
import { bothDatabases, type DatabaseKind } from '../support/databases.ts';
import { until } from '../support/wait.ts';
import { signedIn, world } from '../support/world.ts';

async function talking(database: DatabaseKind = 'sqlite') {
  const here = await world({ database });
  const { page } = await here.messenger();
  const customer = here.sandbox.meta.customer({ name: 'Johan Mattsson' });
  const first = await customer.writes('Hej!', { to: page });
  const { id } = await here.admin.conversationWith('Johan Mattsson');
  const happens = (field: string, what: object) =>
    here.sandbox.meta.emit(page, field, {
      sender: { id: customer.psid(page) },
      recipient: { id: page.id },
      timestamp: here.clock.ms(),
      ...what,
    });
  const thread = (): Promise<Message[]> => here.admin.messages(id);
  return { ...here, here, page, customer, first, id, happens, thread };
}

describe.each(bothDatabases)('on %s', (database) => {
  test('a reaction is given, changed and taken back; a text is changed; what comes late or twice changes nothing (C5)', async () => {
    const { here, page, customer, first, thread, happens, clock } = await talking(database);
    const before = clock.ms() - 60_000;

    await customer.reacts(first.mid, '❤️', { to: page });
    await until(async () => (await thread())[0]!.reactions.length === 1);
    expect((await thread())[0]!.reactions).toEqual([{ emoji: '❤️', by: 'contact' }]);
    clock.advance(10);
    await customer.reacts(first.mid, '😮', { to: page });
    await until(async () => (await thread())[0]!.reactions[0]?.emoji === '😮');
    clock.advance(10);
    await customer.reacts(first.mid, null, { to: page });
    await until(async () => (await thread())[0]!.reactions.length === 0);
    await happens('message_reactions', {
      timestamp: before,
      reaction: { mid: first.mid, action: 'react', emoji: '👍', reaction: 'like' },
    });
    await customer.edits(first.mid, 'Hej, finns den i 120?', 2, { to: page });
    await customer.edits(first.mid, 'Hej, finns den?', 1, { to: page });
    await until(async () => (await thread())[0]!.text === 'Hej, finns den i 120?');
    await here.settled();

    expect((await thread())[0]).toMatchObject({
      text: 'Hej, finns den i 120?',
      reactions: [],
      details: { edited: true },
    });
    expect((await thread())[0]!.details).not.toHaveProperty('editVersion');
  });

  test('a reply whose echo comes before, after or instead of its answer is one message (C10, R-01)', async () => {
    const { here, customer, id, admin, sandbox, thread, clock } = await talking(database);
    const sent = async (text: string): Promise<void> => {
      await admin.sends(id, text);
      await until(async () => ['sent', 'delivered'].includes((await thread()).at(-1)!.status), text);
      await here.settled();
      clock.advance(10);
    };

    await sent('after');
    sandbox.meta.options.echoBeforeAnswer = true;
    await sent('before');
    sandbox.meta.options.echoBeforeAnswer = false;
    sandbox.faults.next('meta', { method: 'POST', path: /\/messages/ }, { kind: 'do-then-drop' });
    await sent('instead');

    expect((await thread()).map(({ text }) => text)).toEqual(['Hej!', 'after', 'before', 'instead']);
    expect(customer.inbox.map(({ text }) => text)).toEqual(['after', 'before', 'instead']);
  });
});

test('places, shared posts, buttons, ads, carts and bookings show what they hold (C5)', async () => {
  const { here, page, thread, happens, customer, first } = await talking();
  let mid = 0;
  const message = (content: object) => happens('messages', { message: { mid: `m_event_${(mid += 1)}`, ...content } });

  const coordinates = { lat: 57.7, long: 11.97 };
  await message({ attachments: [{ type: 'location', title: 'Here', payload: { coordinates } }] });
  await message({
    attachments: [
      { type: 'reel', payload: { url: 'https://www.facebook.com/reel/1', title: 'A reel', reel_video_id: 7 } },
    ],
  });
  await message({
    text: 'See',
    attachments: [{ type: 'fallback', title: 'Desk', url: 'https://shop.example.com/1', payload: null }],
  });
  await message({ attachments: [{ type: 'fallback' }] });
  await message({ text: 'Yes', quick_reply: { payload: 'YES' }, reply_to: { mid: first.mid } });
  await message({
    text: 'I saw your ad',
    referral: { source: 'ADS', type: 'OPEN_THREAD', ref: 'autumn', ads_context_data: { ad_title: 'Oak desks' } },
  });
  await happens('messaging_postbacks', { postback: { title: 'Get Started', payload: 'GET_STARTED' } });
  await happens('messaging_referrals', { referral: { ref: 'flyer', source: 'SHORTLINK', type: 'OPEN_THREAD' } });
  await message({
    attachments: [
      {
        type: 'appointment_booking',
        payload: {
          status: 'requested',
          start_time: 1_795_428_000,
          end_time: 1_795_431_600,
          timezone: 'Europe/Stockholm',
        },
      },
    ],
  });
  page.ownedByOtherApp = true;
  await customer.writes('Another app owns this', { to: page });
  await until(async () => (await thread()).length === 11, 'all of them');
  await here.settled();

  expect(
    (await thread())
      .slice(1)
      .map(({ kind, text, details, replyTo }) => ({ kind, text, details, reply: replyTo !== null })),
  ).toEqual([
    {
      kind: 'location',
      text: '',
      details: { location: { latitude: 57.7, longitude: 11.97, name: 'Here' } },
      reply: false,
    },
    {
      kind: 'shared',
      text: '',
      details: { shared: { title: 'A reel', url: 'https://www.facebook.com/reel/1' } },
      reply: false,
    },
    {
      kind: 'shared',
      text: 'See',
      details: { shared: { title: 'Desk', url: 'https://shop.example.com/1' } },
      reply: false,
    },
    { kind: 'unsupported', text: '', details: null, reply: false },
    { kind: 'postback', text: 'Yes', details: null, reply: true },
    { kind: 'text', text: 'I saw your ad', details: { referral: { source: 'ads', title: 'Oak desks' } }, reply: false },
    { kind: 'postback', text: 'Get Started', details: null, reply: false },
    { kind: 'postback', text: '', details: { referral: { source: 'shortlink', title: 'flyer' } }, reply: false },
    {
      kind: 'text',
      text: '📅 2026-11-23 11:00 – 2026-11-23 12:00, Europe/Stockholm, requested',
      details: null,
      reply: false,
    },
    { kind: 'text', text: 'Another app owns this', details: { answeredElsewhere: true }, reply: false },
  ]);
});

test('a file goes out by its bytes, its text behind it, and reading and typing are shown (C7)', async () => {
  const { here, page, customer, id, admin, thread, sandbox } = await talking();
  const form = new FormData();
  form.append('file', new Blob([Buffer.from('%PDF-1.4\n%offer')], { type: 'application/pdf' }), 'offert.pdf');
  const uploaded = await fetch(`${here.url}/api/attachments`, {
    method: 'POST',
    headers: { authorization: `Bearer ${admin.token}` },
    body: form,
  });
  const { id: fileId } = (await uploaded.json()) as { id: string };

  await admin.sends(id, 'Här är offerten', { attachmentIds: [fileId] });
  await until(() => customer.inbox.length === 2, 'both on the phone');
  await admin.call('PUT', `/api/conversations/${id}/read`, { through: (await thread())[0]!.id });
  await admin.call('PUT', `/api/conversations/${id}/presence`, { typing: true });
  await here.settled();

  expect(
    customer.inbox.map(({ text, attachments }) => [text, attachments.map(({ type, file }) => [type, file.name])]),
  ).toEqual([
    ['', [['file', 'offert.pdf']]],
    ['Här är offerten', []],
  ]);
  const actions = sandbox.meta.calls.flatMap(
    ({ body }) => (body as { sender_action?: string } | undefined)?.sender_action ?? [],
  );
  expect(actions.sort()).toEqual(['mark_seen', 'typing_on']);
  expect(sandbox.meta.calls.some(({ path }) => path.endsWith(`/${page.id}/message_attachments`))).toBe(true);
});

test('names and pictures come from Facebook and are copied; who has none keeps an honest stand-in, and is asked about again', async () => {
  const here = await world();
  const { sandbox, clock, admin } = here;
  const { page } = await here.messenger();
  const picture = { ...pngFile('face.png'), contentType: 'image/png' };
  const kinds = ['full', 'name-only', 'empty', 'none', 'permission', 'nowhere'] as const;
  const people = kinds.map((profile) => sandbox.meta.customer({ name: `Kund ${profile}`, profile, picture }));
  for (const person of people) await person.writes('Hej', { to: page });
  await here.settled();
  const unnamed = people.at(-1)!;
  const contacts = async () => (await admin.section('all')).map(({ contact }) => contact);

  const [before, pictures] = [await contacts(), (await contacts()).filter(({ avatarUrl }) => avatarUrl !== null)];
  expect(before.map(({ name }) => name).sort()).toEqual(
    [unnamed.psid(page), ...kinds.slice(0, -1).map((kind) => `Kund ${kind}`)].sort(),
  );
  expect(pictures.map(({ name }) => name)).toEqual(['Kund full']);
  sandbox.meta.state.files.clear();
  expect((await fetch(new URL(pictures[0]!.avatarUrl!, here.url))).status).toBe(200);

  unnamed.human.profile = 'full';
  clock.advance(25 * 3_600_000);
  await unnamed.writes('Hallå?', { to: page });
  await here.settled();
  admin.token = (await signedIn(here.url, sandbox, admin.pipedrive)).token;
  expect((await contacts()).map(({ name }) => name)).toContain('Kund nowhere');
});

test('a warning of Meta’s stands on the channel, then its block, until they are lifted (C14)', async () => {
  const { here, happens, admin } = await talking();
  const reasons = async () =>
    (await admin.call<{ data: Channel[] }>('GET', '/api/channels')).body.data[0]!.health.reasons.map(
      ({ code }) => code,
    );
  const enforces = (action: string) =>
    happens('messaging_policy_enforcement', { sender: undefined, policy_enforcement: { action, reason: 'spam' } });
  await enforces('warning');
  await until(async () => (await reasons()).includes('policy_warned'), 'the warning');
  await enforces('block');
  await until(async () => (await reasons()).includes('policy'), 'the block');
  await enforces('unblock');
  await until(async () => (await reasons()).length === 0, 'its end');
  await here.settled();
});

test('a person may answer for seven days where that is granted: tagged as such after a day, and never before (C9)', async () => {
  const here = await world({ environment: { META_HUMAN_AGENT: 'true' } });
  const { sandbox, clock } = here;
  sandbox.meta.options.humanAgent = true;
  const { page } = await here.messenger();
  const customer = sandbox.meta.customer({ name: 'Johan Mattsson' });
  await customer.writes('Hej!', { to: page });
  const begun = clock.ms();
  const conversation = await here.admin.conversationWith('Johan Mattsson');
  const day = 24 * 3_600_000;
  expect(Date.parse(conversation.replyUntil!) - begun).toBeGreaterThan(7 * day - 60_000);
  const typeOf = async (text: string) => {
    here.admin.token = (await signedIn(here.url, sandbox, here.admin.pipedrive)).token;
    const sent = await here.admin.sends(conversation.id, text);
    const found = async () => (await here.admin.messages(conversation.id)).find(({ id }) => id === sent.id)!;
    await until(async () => ['delivered', 'failed'].includes((await found()).status), text);
    const { body } = sandbox.meta.calls.findLast(
      ({ method, path }) => method === 'POST' && path.endsWith('/messages'),
    )!;
    const { messaging_type: type, tag } = body as { messaging_type: string; tag?: string };
    return [type, tag, (await found()).error?.code];
  };

  clock.advance(day - 60_000);
  expect(await typeOf('Within a day')).toEqual(['RESPONSE', undefined, undefined]);
  clock.advance(120_000);
  expect(await typeOf('A day later')).toEqual(['MESSAGE_TAG', 'HUMAN_AGENT', undefined]);
  // Meta takes it back: said in words, with its code.
  sandbox.meta.options.humanAgent = false;
  expect(await typeOf('No longer granted')).toEqual(['MESSAGE_TAG', 'HUMAN_AGENT', 'permission_missing']);
  sandbox.meta.options.humanAgent = true;
  clock.advance(6 * day);
  here.admin.token = (await signedIn(here.url, sandbox, here.admin.pipedrive)).token;
  const late = await here.admin.call<{ error: { code: string } }>(
    'POST',
    `/api/conversations/${conversation.id}/messages`,
    { clientMessageId: 'late', text: 'Eight days later' },
  );

  expect(late.body.error.code).toBe('reply_window_closed');
  expect(await here.admin.conversationWith('Johan Mattsson')).toMatchObject({ replyWindowOpen: false });
  await customer.reacts((await customer.writes('Now', { to: page })).mid, '❤️', { to: page });
  await until(async () => (await here.admin.conversationWith('Johan Mattsson')).replyWindowOpen, 'the window again');
  expect(await typeOf('Within a day again')).toEqual(['RESPONSE', undefined, undefined]);
  await here.settled();
});

test('a file whose address has ended is fetched from where Facebook has it now; nobody’s message is lost by it (C6)', async () => {
  const { here, page, customer, thread, sandbox } = await talking();
  sandbox.faults.next('meta', { path: /^\/media\// }, { kind: 'answer', status: 403, body: 'URL signature expired' });
  await customer.sendsPhoto({ bytes: pngFile().bytes, contentType: 'image/png' }, { to: page });
  await until(async () => (await thread()).at(-1)!.attachments[0]?.state === 'ready', 'the picture');
  await here.settled();

  expect((await thread()).at(-1)!.attachments).toMatchObject([{ contentType: 'image/png', width: 1 }]);
  expect(sandbox.meta.calls.some(({ method, path }) => method === 'GET' && /\/m_/.test(path))).toBe(true);
});
