// Attachments as a browser and a provider fetch them: whole, in part, by HEAD, and not at all when the link is not right (C6, T-12; section 5.5).
import { readdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { picture, pictureNames } from '../../sandbox/pictures.ts';
import type { Photo } from '../../sandbox/twilio/inbound.ts';
import type { Message } from '../../src/web/contract.ts';
import { bothDatabases, type DatabaseKind } from '../support/databases.ts';
import { pdfFile, pngFile } from '../support/files.ts';
import { until } from '../support/wait.ts';
import { newNumber, world } from '../support/world.ts';

async function received(file: { bytes: Buffer; contentType: string }, database: DatabaseKind = 'sqlite') {
  const here = await world({ database });
  const { number } = await here.whatsapp();
  const customer = here.sandbox.twilio.customer(newNumber(), { name: 'Hannah' });
  await customer.writes('Look', { to: number, media: [file] });
  const conversation = await here.rep.conversationWith('Hannah');
  const attachment = await until(async () => {
    const [message] = await here.rep.messages(conversation.id);
    const found = message!.attachments[0];
    return found?.state === 'ready' && found;
  }, 'the attachment');
  return { here, conversation, attachment, url: attachment.url!, bytes: file.bytes };
}

const get = async (url: string, headers: Record<string, string> = {}, method = 'GET') => {
  const answer = await fetch(url, { method, headers });
  return { status: answer.status, headers: answer.headers, bytes: Buffer.from(await answer.arrayBuffer()) };
};

test('a picture is answered whole, by HEAD, and in parts, never as a page of ours (C6, F-15)', async () => {
  const { url, bytes, attachment } = await received(await picture(pictureNames[0]!));
  const { length } = bytes;

  const whole = await get(url);
  const head = await get(url, {}, 'HEAD');

  expect([whole.status, head.status]).toEqual([200, 200]);
  expect(whole.bytes).toEqual(bytes);
  expect(head.bytes).toHaveLength(0);
  for (const { headers } of [whole, head]) {
    expect(headers.get('content-type')).toBe(attachment.contentType);
    expect(headers.get('content-length')).toBe(String(length));
    expect(headers.get('content-disposition')).toMatch(/^inline; filename\*=UTF-8''[\w%.-]+$/);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('content-security-policy')).toBe(`default-src 'none'; sandbox`);
    expect(headers.get('cache-control')).toBe('private, max-age=300');
    expect(headers.get('accept-ranges')).toBe('bytes');
    expect(headers.get('set-cookie')).toBeNull();
  }
  for (const [range, from, to] of [
    ['bytes=0-0', 0, 0],
    ['bytes=10-19', 10, 19],
    ['bytes=-5', length - 5, length - 1],
    [`bytes=${length - 1}-`, length - 1, length - 1],
    ['bytes=5-99999999', 5, length - 1],
  ] as const) {
    const part = await get(url, { range });
    expect.soft(part.status, range).toBe(206);
    expect.soft(part.headers.get('content-range'), range).toBe(`bytes ${from}-${to}/${length}`);
    expect.soft(part.bytes, range).toEqual(bytes.subarray(from, to + 1));
  }
  for (const range of [`bytes=${length}-`, 'bytes=9-3', 'bytes=99999999999-']) {
    const none = await get(url, { range });
    expect.soft([none.status, none.headers.get('content-range')], range).toEqual([416, `bytes */${length}`]);
  }
  for (const range of [
    'bytes=',
    'lines=1-2',
    'bytes=a-b',
    `bytes=${Array.from({ length: 1_000 }, () => '0-0').join(',')}`,
  ]) {
    const all = await get(url, { range });
    expect.soft([all.status, all.bytes.length], range.slice(0, 20)).toEqual([200, length]);
  }
});

describe.each(bothDatabases)('on %s', (database) => {
  test('a changed, foreign, expired or erased link opens nothing (F-14)', async () => {
    const { here, url, conversation, attachment } = await received(await picture(pictureNames[0]!), database);
    const changed = (change: (link: URL) => void): string => {
      const link = new URL(url);
      change(link);
      return link.href;
    };

    const wrong = {
      'no signature': changed((link) => (link.search = '')),
      'another company': changed((link) => link.searchParams.set('c', '999')),
      'a later end': changed((link) => link.searchParams.set('e', '9999999999999')),
      'one character of the signature': changed((link) => {
        const signature = link.searchParams.get('s')!;
        link.searchParams.set('s', (signature.startsWith('A') ? 'B' : 'A') + signature.slice(1));
      }),
      'an empty signature': changed((link) => link.searchParams.set('s', '')),
      'another file': changed((link) => (link.pathname = `/media/${conversation.id}/x.png`)),
      'a path': changed((link) => (link.pathname = '/media/..%2f..%2fetc%2fpasswd/x')),
    };
    for (const [what, address] of Object.entries(wrong)) {
      const { status, bytes } = await get(address);
      expect.soft([status, bytes.toString('utf8', 0, 9)], what).toEqual([404, 'Not Found']);
      expect.soft((await get(address, {}, 'HEAD')).status, what).toBe(404);
    }
    // The name at its end is for people: it opens nothing and hides nothing.
    expect((await get(changed((link) => (link.pathname = `/media/${attachment.id}/other`)))).status).toBe(200);

    here.clock.advance(11 * 60_000);
    expect((await get(url)).status).toBe(404);
    const [message] = await here.rep.messages(conversation.id);
    const fresh = message!.attachments[0]!.url!;
    expect((await get(fresh)).status).toBe(200);
    expect((await here.admin.call('DELETE', `/api/conversations/${conversation.id}`)).status).toBe(204);
    expect((await get(fresh)).status).toBe(404);
  });
});

test.each([
  ['F-06 a page that says it is a document', '<!doctype html><script>alert(1)</script>'],
  ['F-07 a drawing with a script', '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'],
])('%s is only ever saved as a file, never shown', async (_, body) => {
  const { url, attachment } = await received({ bytes: Buffer.from(body), contentType: 'application/pdf' });

  const { status, headers } = await get(url);

  expect(status).toBe(200);
  expect(attachment.contentType).not.toBe('image/png');
  expect(headers.get('content-type')).not.toMatch(/html|svg|image/);
  expect(headers.get('content-disposition')).toMatch(/^attachment; /);
  expect(headers.get('x-content-type-options')).toBe('nosniff');
  expect(headers.get('content-security-policy')).toBe(`default-src 'none'; sandbox`);
});

test('what is fetched is fetched from where it may be, as large as it may be, and what it says it is; the rest shows as failed (C6)', async () => {
  const called: string[] = [];
  const inside = createServer((request, response) => {
    called.push(request.url ?? '');
    response.end('secret');
  });
  await new Promise<void>((resolve) => inside.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void inside.close());
  const { port } = inside.address() as AddressInfo;
  const here = await world();
  const { number } = await here.whatsapp();
  const customer = here.sandbox.twilio.customer(newNumber(), { name: 'Hannah' });
  const png = pngFile().bytes;
  const image = { bytes: png, contentType: 'image/png' };
  const cases: Record<string, { media: Photo; state: 'ready' | 'failed' }> = {
    'by the host that Twilio sends to': { media: image, state: 'ready' },
    'not there yet, as happens': { media: { ...image, late: 2 }, state: 'ready' },
    'of 16 MB': {
      media: { bytes: pngFile('a.png', 16 * 1024 * 1024).bytes, contentType: 'image/png' },
      state: 'ready',
    },
    'of 17 MB': {
      media: { bytes: pngFile('a.png', 17 * 1024 * 1024).bytes, contentType: 'image/png' },
      state: 'failed',
    },
    'without end': { media: { ...image, endless: true }, state: 'failed' },
    'a page in place of a picture': {
      media: { bytes: Buffer.from('<html>'), contentType: 'image/png' },
      state: 'failed',
    },
    'a document in place of sound': { media: { bytes: pdfFile().bytes, contentType: 'audio/ogg' }, state: 'failed' },
    'sent on to our own network': { media: { ...image, redirectTo: `http://127.0.0.1:${port}/in` }, state: 'failed' },
    'sent on to the metadata of a cloud': {
      media: { ...image, redirectTo: 'http://169.254.169.254/latest/meta-data/' },
      state: 'failed',
    },
    'sent on to a host nobody knows': {
      media: { ...image, redirectTo: 'https://media.example.org/1' },
      state: 'failed',
    },
  };

  for (const [words, { media }] of Object.entries(cases)) await customer.writes(words, { to: number, media: [media] });
  const { id } = await here.rep.conversationWith('Hannah');
  const seen = await until(
    async () => {
      const messages = await here.rep.messages(id);
      const states = messages.map(({ text, attachments }) => [text, attachments[0]?.state]);
      // Who waits for its next try gets it at once.
      if (states.some(([, state]) => state === 'pending')) here.clock.advance(500);
      return states.length === Object.keys(cases).length && !states.some(([, state]) => state === 'pending') && states;
    },
    'all of them',
    30_000,
  );

  expect(Object.fromEntries(seen as [string, string][])).toEqual(
    Object.fromEntries(Object.entries(cases).map(([words, { state }]) => [words, state])),
  );
  expect(called).toEqual([]);
  // What was refused once may be there now; what is there is not asked for again.
  const [first] = [...here.sandbox.twilio.state.messages.values()].filter(
    ({ body }) => body === 'sent on to a host nobody knows',
  );
  delete first!.media[0]!.redirectTo;
  const messages = await here.rep.messages(id);
  const fileOf = (words: string) => messages.find(({ text }) => text === words)!.attachments[0]!.id;
  const fetchAgain = (words: string) => here.rep.call<Message>('POST', `/api/attachments/${fileOf(words)}/fetch`);
  expect((await fetchAgain('of 16 MB')).status).toBe(409);
  const again = await fetchAgain('sent on to a host nobody knows');
  expect([again.status, again.body.attachments[0]!.state]).toEqual([202, 'pending']);
  await until(
    async () =>
      (await here.rep.messages(id)).find(({ id: found }) => found === again.body.id)!.attachments[0]!.state === 'ready',
    'the file after all',
  );
  const kept = await readdir(`${here.database.folder}/media`, { recursive: true, withFileTypes: true });
  expect(kept.filter((entry) => entry.isFile())).toHaveLength(4);
});
