// Files in replies: taken, checked by their bytes, sent one by one in order, and refused with words (C6, C7).
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { describe, expect, test } from 'vitest';
import type { Channel, Message } from '../../src/web/contract.ts';
import { bothDatabases, type DatabaseKind } from '../support/databases.ts';
import { openEvents } from '../support/events.ts';
import { pdfFile, pngFile, textFile, upload, voiceFile, type TestFile } from '../support/files.ts';
import { until } from '../support/wait.ts';
import { newNumber, signedIn, world } from '../support/world.ts';

interface Refused {
  readonly error: { code: string; message: string; details: Record<string, unknown> };
}

async function talking(database: DatabaseKind = 'sqlite') {
  const here = await world({ database });
  const { channel, number } = await here.whatsapp();
  const customer = here.sandbox.twilio.customer(newNumber(), { name: 'Johan Mattsson' });
  await customer.writes('Hej!', { to: number });
  const conversation = await here.rep.conversationWith('Johan Mattsson');
  const keeps = async (file: TestFile): Promise<string> => {
    const kept = await upload(here.url, here.rep, file);
    if (kept.status !== 201) throw new Error(`not kept: ${JSON.stringify(kept.body)}`);
    return kept.body.id;
  };
  const posts = <Body = Message>(body: object) =>
    here.rep.call<Body>('POST', `/api/conversations/${conversation.id}/messages`, {
      clientMessageId: `c${Math.random()}`,
      ...body,
    });
  return { ...here, here, channel, customer, conversation, keeps, posts };
}

describe.each(bothDatabases)('on %s', (database) => {
  test('several files and a text become messages of their own, in order, the text with the first picture (C7)', async () => {
    const { here, rep, customer, conversation, keeps, posts } = await talking(database);
    const ids = [await keeps(pngFile('roof.png')), await keeps(pdfFile('offer.pdf')), await keeps(voiceFile())];

    const answer = await posts({ clientMessageId: 'three', text: 'Here it is', attachmentIds: ids });
    await until(() => customer.inbox.length === 3, 'three messages on the phone');
    await here.settled();

    expect(answer.status).toBe(202);
    expect(customer.inbox.map(({ body, media }) => [body, media[0]?.contentType])).toEqual([
      ['Here it is', 'image/png'],
      ['', 'application/pdf'],
      ['', 'audio/ogg'],
    ]);
    expect(customer.inbox[1]!.media[0]!.bytes).toEqual(pdfFile().bytes);
    expect(customer.inbox[1]!.mediaUrls[0]).toMatch(/\/offer\.pdf\?/);
    const shown = (await rep.messages(conversation.id)).slice(1);
    expect(shown.map(({ kind, text, clientMessageId }) => [kind, text, clientMessageId])).toEqual([
      ['image', 'Here it is', 'three'],
      ['file', '', 'three#2'],
      ['audio', '', 'three#3'],
    ]);
    expect(shown.map(({ attachments }) => attachments[0])).toMatchObject([
      { id: ids[0], name: 'roof.png', contentType: 'image/png', width: 1, height: 1, state: 'ready' },
      { id: ids[1], name: 'offer.pdf', size: pdfFile().bytes.length },
      { id: ids[2], contentType: 'audio/ogg; codecs=opus' },
    ]);
    expect(shown.map(({ status }) => status)).toEqual(['delivered', 'delivered', 'delivered']);
  });

  test('a text that cannot travel with the file follows it; the same client message id again sends nothing (R-02)', async () => {
    const { here, customer, keeps, posts } = await talking(database);
    const attachmentIds = [await keeps(pdfFile())];
    const body = { clientMessageId: 'twice', text: 'The offer', attachmentIds };

    const answers = await Promise.all([posts(body), posts(body), posts(body)]);
    await until(() => customer.inbox.length === 2, 'two messages on the phone');
    await here.settled();

    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202]);
    expect(new Set(answers.map((answer) => answer.body.id)).size).toBe(1);
    expect(customer.inbox.map(({ body: words, media }) => [words, media.length])).toEqual([
      ['', 1],
      ['The offer', 0],
    ]);
  });
});

test('what the channel does not take is refused before anything is sent, naming size and limit in the user’s language', async () => {
  const { here, rep, customer, conversation, keeps, posts } = await talking();
  const big = await keeps(pngFile('big.png', 6 * 1024 * 1024));
  const words = await keeps(textFile('notes.txt'));
  const good = await keeps(pngFile());

  const tooLarge = await posts<Refused>({ attachmentIds: [good, big] });
  const wrongType = await posts<Refused>({ attachmentIds: [words] });
  const unknown = await posts<Refused>({ attachmentIds: ['00000000-0000-7000-8000-000000000000'] });
  const twice = await posts<Refused>({ attachmentIds: [good, good] });

  expect([tooLarge, wrongType, unknown, twice].map(({ status }) => status)).toEqual([422, 422, 422, 422]);
  expect(tooLarge.body.error).toMatchObject({
    code: 'attachment_refused',
    message: '”big.png” är 6 MB. En sådan fil får vara högst 5 MB här. Skicka en mindre, eller en länk till den.',
    details: { reason: 'too_large', kind: 'image', sizeBytes: 6 * 1024 * 1024, limitBytes: 5 * 1024 * 1024 },
  });
  expect(wrongType.body.error).toMatchObject({
    code: 'attachment_refused',
    details: { reason: 'type', contentType: 'text/plain' },
  });
  expect(wrongType.body.error.message).toContain('JPG, PNG, MP4');
  expect(unknown.body.error).toMatchObject({ code: 'invalid', details: { fields: { attachmentIds: 'unknown' } } });
  await here.settled();
  expect(await rep.messages(conversation.id)).toHaveLength(1);
  expect(customer.inbox).toHaveLength(0);
});

test('an upload is read by its bytes, bounded, and for its owner alone (T-12, A1)', async () => {
  const { here, admin, posts, conversation } = await talking();
  const left = async () => (await readdir(tmpdir())).filter((name) => name.startsWith(`inbox-upload-${process.pid}-`));

  const disguised = await upload(here.url, here.rep, { name: 'photo.png', bytes: Buffer.from('<html><script>') });
  const climbing = await upload(here.url, here.rep, pngFile('../../etc/pass\u202ewd.png'));
  const empty = await upload(here.url, here.rep, { name: 'nothing.pdf', bytes: Buffer.alloc(0) });
  const huge = await upload(here.url, here.rep, pdfFile('huge.pdf', 26 * 1024 * 1024));
  const unknown = await upload(here.url, { token: 'nobody' }, pngFile());
  const foreign = await upload(here.url, admin, pngFile());
  const form = new FormData();
  form.append('other', 'words');
  const without = await fetch(`${here.url}/api/attachments`, {
    method: 'POST',
    headers: { authorization: `Bearer ${here.rep.token}` },
    body: form,
  });

  expect(disguised.body).toMatchObject({ contentType: 'text/plain', name: 'photo.png' });
  expect(climbing.body).toMatchObject({ contentType: 'image/png', name: 'passwd.png' });
  expect([empty.status, empty.body.error?.code]).toEqual([422, 'attachment_refused']);
  expect([huge.status, huge.body.error?.code]).toEqual([413, 'payload_too_large']);
  expect([unknown.status, without.status]).toEqual([401, 422]);
  expect((await posts<Refused>({ attachmentIds: [foreign.body.id] })).status).toBe(422);
  expect((await here.rep.call('POST', '/api/attachments', { file: 'x' })).status).toBe(415);
  expect(await here.rep.messages(conversation.id)).toHaveLength(1);
  await until(async () => (await left()).length === 0, 'no temporary file left');
});

test('a file that is not sent within a day is removed, one that was sent stays', async () => {
  const { here, rep, clock, conversation, keeps, posts, customer } = await talking();
  const sent = await keeps(pngFile());
  await keeps(pdfFile());
  await posts({ attachmentIds: [sent] });
  await until(() => customer.inbox.length === 1);
  const stored = () =>
    here.app.db.read((reader) => reader.query<{ id: string }>('select id from attachment where media_key is not null'));
  expect(await stored()).toHaveLength(2);

  clock.advance(24 * 3_600_000 + 1);
  await here.settled();

  expect((await stored()).map(({ id }) => id)).toEqual([sent]);
  rep.token = (await signedIn(here.url, here.sandbox, rep.pipedrive)).token;
  expect((await rep.messages(conversation.id)).at(-1)).toMatchObject({ kind: 'image' });
});

test('who removes his failed message removes its file too, bytes and all, and from every open window (C7, V11)', async () => {
  const { here, rep, conversation, customer, keeps, posts } = await talking();
  customer.person.hasWhatsapp = false;
  const id = (await posts({ attachmentIds: [await keeps(pngFile())] })).body.id;
  await until(async () => (await rep.messages(conversation.id)).at(-1)!.status === 'failed', 'the failure');
  const media = `${here.database.folder}/media`;
  const files = async () =>
    (await readdir(media, { recursive: true, withFileTypes: true })).filter((at) => at.isFile());
  expect(await files()).toHaveLength(1);

  const { changeNumber } = (await here.admin.call<{ changeNumber: number }>('GET', '/api/me')).body;
  const stream = openEvents(here.url, here.admin.token, changeNumber);
  expect((await here.admin.call('DELETE', `/api/messages/${id}`)).status).toBe(403);
  expect((await rep.call('DELETE', `/api/messages/${id}`)).status).toBe(204);
  await here.settled();

  expect(await files()).toEqual([]);
  expect((await rep.messages(conversation.id)).map(({ direction }) => direction)).toEqual(['inbound']);
  const told = await until(() => stream.events.find(({ name }) => name === 'message.removed'), 'the removal');
  expect(told.data).toEqual({ id, conversationId: conversation.id });
  stream.close();
});

test('a channel says what can be sent on it', async () => {
  const { rep, channel } = await talking();

  const { body } = await rep.call<{ data: Channel[] }>('GET', '/api/channels');

  const { sending } = body.data.find(({ id }) => id === channel.id)!;
  expect(sending).toMatchObject({ maxText: 1_600, templates: true, captions: ['image', 'video'] });
  expect(sending.files!.find(({ kind }) => kind === 'image')).toEqual({
    kind: 'image',
    maxBytes: 5 * 1024 * 1024,
    types: ['image/jpeg', 'image/png'],
  });
});
