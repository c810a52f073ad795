// The walls around what is outside the API: every route the server really has, taken from its router, with another company's
// ids and another company's rights. A route added tomorrow is in here without anybody adding it (T-01, T-04, J-20).
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Router from '@koa/router';
import { beforeAll, expect, test } from 'vitest';
import { picture, pictureNames } from '../../sandbox/pictures.ts';
import { installInBrowser, newNumber, world } from '../support/world.ts';

interface Route {
  readonly method: string;
  readonly path: string;
}

/** As the router knows them when the app is built. */
const routes: Route[] = [];

beforeAll(() => {
  const { routes: build } = Router.prototype;
  Router.prototype.routes = function (this: Router) {
    if (routes.length === 0) {
      for (const { methods, path } of this.stack) {
        for (const method of methods) routes.push({ method, path: String(path) });
      }
    }
    return build.call(this);
  };
  return () => void (Router.prototype.routes = build);
});

/** Those answered before the router, because they are read raw: `'POST /webhooks/…'` in the source. */
function rawRoutes(): Route[] {
  const source = readFileSync(join(import.meta.dirname, '../../src/web/server.ts'), 'utf8');
  return [...source.matchAll(/'(GET|POST|PUT|DELETE) (\/[\w/-]+)':/g)].map(([, method, path]) => ({
    method: method!,
    path: path!,
  }));
}

/** Answered with the same page whoever asks for whatever: it holds nothing, what it shows it gets from the API. */
const shells = new Set(['/conversations/:id']);

test('no route outside the API shows anything of another company, whatever id and whichever rights it is called with (T-04)', async () => {
  const here = await world();
  here.expectInLog(/a response failed/);
  const { number } = await here.whatsapp();
  const customer = here.sandbox.twilio.customer(newNumber(), { name: 'Hannah Secret' });
  await customer.writes('canary words', { to: number, media: [await picture(pictureNames[0]!)] });
  const conversation = await here.rep.conversationWith('Hannah Secret');
  await here.settled();
  const [message] = await here.rep.messages(conversation.id);
  const attachment = message!.attachments[0]!;
  const elsewhere = here.sandbox.pipedrive.addCompany({ name: 'Elsewhere' });
  const stranger = await here.install(here.sandbox.pipedrive.addUser(elsewhere, { name: 'Olle Strand', admin: true }));
  await here.settled();
  const cookie = await installInBrowser(here.url, here.sandbox, stranger.pipedrive);
  const ids = [
    conversation.id,
    message!.id,
    attachment.id,
    conversation.channel.id,
    conversation.contact.id,
    here.rep.id,
    String(here.company.id),
  ];
  const callers: Readonly<Record<string, Record<string, string>>> = {
    nobody: {},
    'a session of another company': { authorization: `Bearer ${stranger.token}` },
    'a browser of another company': { cookie },
    'a wrong Basic secret': { authorization: `Basic ${Buffer.from('sandbox-client:wrong').toString('base64')}` },
  };
  // The router answers HEAD with GET's own handler.
  const outside = [...routes, ...rawRoutes()].filter(
    ({ method, path }) => method !== 'HEAD' && !path.startsWith('/api/'),
  );
  expect(outside.length).toBeGreaterThan(15);

  const looks = outside.flatMap(({ method, path }) =>
    (path.includes(':') ? ids.map((id) => path.replace(/:\w+/g, id)) : [path]).flatMap((address) =>
      Object.entries(callers).map(([caller, headers]) => ({ method, path, address, caller, headers })),
    ),
  );
  for (let at = 0; at < looks.length; at += 25) {
    await Promise.all(
      looks.slice(at, at + 25).map(async ({ method, path, address, caller, headers }) => {
        const where = `${method} ${address} by ${caller}`;
        const form = { 'content-type': 'application/x-www-form-urlencoded' };
        const answer = await fetch(here.url + address, {
          method,
          redirect: 'manual',
          headers: { ...headers, ...(method === 'POST' ? form : {}) },
          ...(method === 'POST' ? { body: 'a=b' } : {}),
        });
        const words = `${await answer.text()} ${JSON.stringify([...answer.headers])}`;
        expect.soft(answer.status, where).toBeLessThan(500);
        if (path.includes(':') && !shells.has(path))
          expect.soft([302, 400, 401, 403, 404, 405, 415], where).toContain(answer.status);
        for (const secret of ['Hannah', 'canary', number, attachment.name])
          expect.soft(words, where).not.toContain(secret);
      }),
    );
  }
  // Nothing was changed by it either.
  expect(await here.rep.conversationWith('Hannah Secret')).toMatchObject({
    status: 'open',
    channel: conversation.channel,
  });
  expect((await fetch(attachment.url!)).status).toBe(200);
});

test('every route that takes webhooks refuses what is not signed, and stores nothing of it (T-01)', async () => {
  const here = await world();
  const jobs = () => here.app.db.read((reader) => reader.query('select id from job where task = ?', ['ingest']));
  const webhooks = [...routes, ...rawRoutes()].filter(
    ({ method, path }) => path.startsWith('/webhooks/') && !['GET', 'HEAD'].includes(method),
  );
  expect(webhooks.length).toBeGreaterThan(2);

  for (const { method, path } of webhooks) {
    for (const type of ['application/json', 'application/x-www-form-urlencoded']) {
      const answer = await fetch(here.url + path.replace(/:\w+/g, String(here.company.id)), {
        method,
        headers: { 'content-type': type },
        body: type.endsWith('json') ? '{"object":"page","entry":[]}' : 'AccountSid=AC0&signed_request=a.b',
      });
      expect.soft([400, 401, 403, 404, 405, 415], `${method} ${path} ${type}`).toContain(answer.status);
    }
  }
  expect(await jobs()).toEqual([]);
});
