// How the surfaces come to a browser: compressed, in the user's language, and nothing compressed that is told bit by bit or
// stands beside a secret.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openEvents } from '../support/events.ts';
import { until } from '../support/wait.ts';
import { world } from '../support/world.ts';

const built = await readdir(join(import.meta.dirname, '../../dist/ui/assets'));
const fileOf = (start: string): string => built.find((name) => name.startsWith(start) && name.endsWith('.js'))!;

test('scripts, styles and answers come compressed to whoever takes that; pages and streams never do', async () => {
  const here = await world();
  const get = (path: string, encodings: string): Promise<Response> =>
    fetch(here.url + path, {
      headers: { 'accept-encoding': encodings, authorization: `Bearer ${here.rep.token}` },
    });
  const script = `/ui/assets/${fileOf('start-')}`;
  const plain = await get(script, 'identity');
  const small = await get(script, 'br');

  expect(plain.headers.get('content-encoding')).toBeNull();
  expect(small.headers.get('content-encoding')).toBe('br');
  expect(small.headers.get('vary')).toMatch(/accept-encoding/i);
  expect(await small.text()).toBe(await plain.text());
  const long = await get('/api/openapi.json', 'gzip');
  expect(long.headers.get('content-encoding')).toBe('gzip');
  expect(await long.json()).toMatchObject({ openapi: '3.1.0' });
  const page = await get('/ui/window?id=1&token=none', 'br, gzip');
  expect(page.headers.get('content-encoding')).toBeNull();
  const events = openEvents(here.url, here.rep.token);
  await here.rep.call('PUT', '/api/me/availability', { available: false });
  await until(() => events.events.some(({ name }) => name === 'user.changed'), 'an event, at once');
  events.close();
});

test('a frame speaks the language of the user it is signed for, whatever the browser asks for, from its first byte', async () => {
  const here = await world();
  const show = async (token: string): Promise<string> =>
    (
      await fetch(`${here.url}/ui/window?id=1&token=${token}`, { headers: { 'accept-language': 'en-GB,en;q=0.9' } })
    ).text();
  const signed = (user: typeof here.rep): string => here.sandbox.pipedrive.signedToken(user.pipedrive);

  expect(await show(signed(here.rep))).toContain('<html lang="sv"');
  expect(await show(signed(here.rep))).toContain(`href="/ui/assets/${fileOf('sv-')}"`);
  expect(await show(signed(here.admin))).toContain('<html lang="en"');
  // Who cannot prove who he is learns nothing of the user he names.
  const [head, body] = signed(here.rep).split('.');
  expect(await show(`${head}.${body}.AAAA`)).toContain('<html lang="en"');
  expect(await show('')).toContain('<html lang="en"');
});
