// Installing, signing in, uninstalling; and what tries to get in without (A1 to A6, O-01 to O-19, J-01 to J-17).
import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Me } from '../../src/web/contract.ts';
import { bothDatabases } from '../support/databases.ts';
import { openEvents } from '../support/events.ts';
import { until } from '../support/wait.ts';
import { cookiesOf, installInBrowser, newNumber, signedIn, world } from '../support/world.ts';

test('a browser that installed is signed in on the full page and sent where it wanted (A2, A5)', async () => {
  const { url, sandbox, company } = await world();
  const user = sandbox.pipedrive.addUser(company, { name: 'Nils Berg' });
  const cookie = await installInBrowser(url, sandbox, user, '/conversations/abc');

  const me = await fetch(`${url}/api/me`, { headers: { cookie } });
  const page = await fetch(`${url}/`, { redirect: 'manual' });

  expect(await me.json()).toMatchObject({
    user: { id: String(user.id), name: 'Nils Berg' },
    company: { id: String(company.id) },
  });
  expect([page.status, page.headers.get('location')]).toEqual([302, '/install?next=%2F']);
});

test('a callback that is not the end of this browser’s own beginning stores nothing and says what to do (O-01 to O-06, O-09)', async () => {
  const { url, sandbox, company, clock, app } = await world();
  const user = sandbox.pipedrive.addUser(company, { name: 'Nils Berg' });
  const begin = async () => {
    const begun = await fetch(`${url}/install`, { redirect: 'manual' });
    return {
      cookie: cookiesOf(begun),
      back: new URL(sandbox.pipedrive.authorize(user, begun.headers.get('location')!)),
    };
  };
  const finish = async (back: URL, cookie: string) => {
    const answer = await fetch(back, { redirect: 'manual', headers: { cookie, 'accept-language': 'en' } });
    return { status: answer.status, body: await answer.text(), csp: answer.headers.get('content-security-policy') };
  };
  const changed = (back: URL, change: (query: URLSearchParams) => void): URL => {
    const other = new URL(back);
    change(other.searchParams);
    return other;
  };

  const first = await begin();
  const table: [string, URL, string, number][] = [
    ['O-01 no state', changed(first.back, (query) => query.delete('state')), first.cookie, 400],
    ['O-02 another browser', first.back, `browser=${'x'.repeat(43)}`, 400],
    ['O-02 no cookie', first.back, '', 400],
    [
      'O-05 one bit changed',
      changed(first.back, (query) =>
        query.set(
          'state',
          query.get('state')!.replace(/^./, (sign) => (sign === 'x' ? 'y' : 'x')),
        ),
      ),
      first.cookie,
      400,
    ],
    ['O-06 empty state', changed(first.back, (query) => query.set('state', '')), first.cookie, 400],
  ];
  for (const [id, back, cookie, status] of table) expect.soft((await finish(back, cookie)).status, id).toBe(status);

  expect((await finish(first.back, first.cookie)).status).toBe(302);
  expect((await finish(first.back, first.cookie)).status).toBe(400);
  const old = await begin();
  clock.advance(11 * 60_000);
  expect((await finish(old.back, old.cookie)).status).toBe(400);
  const denied = await begin();
  const no = await finish(
    changed(
      denied.back,
      (query) => (
        query.delete('code'),
        query.set('error', 'access_denied'),
        query.set('error_description', '<script>alert(1)</script>')
      ),
    ),
    denied.cookie,
  );
  expect(no.status).toBe(403);
  expect(no.body).not.toContain('<script>alert');
  expect(no.body).toContain('href="/install"');
  expect(no.csp).toContain("frame-ancestors 'none'");
  const used = await begin();
  await finish(used.back, used.cookie);
  const again = await begin();
  expect(
    (
      await finish(
        changed(again.back, (query) => query.set('code', used.back.searchParams.get('code')!)),
        again.cookie,
      )
    ).status,
  ).toBe(400);
  const count = await app.db.read((reader) =>
    reader.one<{ count: number }>('select cast(count(*) as integer) as count from installation'),
  );
  expect(count!.count).toBe(3);
});

test('no answer of Pipedrive that makes no sense leaves anything half stored (O-18)', async () => {
  const { url, sandbox, company, app } = await world();
  const user = sandbox.pipedrive.addUser(company, { name: 'Nils Berg' });
  const answers: [string, { status: number; body?: unknown; headers?: Record<string, string> }][] = [
    ['HTML', { status: 200, body: '<html>', headers: { 'content-type': 'text/html' } }],
    ['empty', { status: 200, body: '' }],
    ['an error with 200', { status: 200, body: { error: 'no' } }],
    [
      'no refresh token',
      { status: 200, body: { access_token: 'a', expires_in: 3600, api_domain: sandbox.pipedrive.url } },
    ],
    [
      'expires_in -1',
      {
        status: 200,
        body: { access_token: 'a', refresh_token: 'b', expires_in: -1, api_domain: sandbox.pipedrive.url },
      },
    ],
    [
      'expires_in 1e12',
      {
        status: 200,
        body: { access_token: 'a', refresh_token: 'b', expires_in: 1e12, api_domain: sandbox.pipedrive.url },
      },
    ],
    [
      '5 MB',
      {
        status: 200,
        body: {
          access_token: 'a'.repeat(5_000_000),
          refresh_token: 'b',
          expires_in: 1,
          api_domain: sandbox.pipedrive.url,
        },
      },
    ],
    ['500', { status: 500 }],
  ];
  for (const [id, fault] of answers) {
    const begun = await fetch(`${url}/install`, { redirect: 'manual' });
    const back = sandbox.pipedrive.authorize(user, begun.headers.get('location')!);
    sandbox.faults.next('pipedrive', { method: 'POST', path: /oauth\/token/ }, { kind: 'answer', ...fault });
    const answer = await fetch(back, { redirect: 'manual', headers: { cookie: cookiesOf(begun) } });
    expect.soft(answer.status, id).toBe(502);
  }
  const row = await app.db.read((reader) => reader.one('select 1 from app_user where id = ?', [String(user.id)]));
  expect(row).toBeUndefined();
});

test('only paths of our own are gone to after an installation (O-10 to O-16)', async () => {
  const { url, sandbox, company } = await world();
  const user = sandbox.pipedrive.addUser(company, { name: 'Nils Berg' });
  for (const next of [
    'https://evil.example',
    '//evil.example',
    '/\\evil.example',
    '/%09/evil.example',
    'https:evil.example',
    'javascript:alert(1)',
    '/ok?x=%0d%0aSet-Cookie:a=b',
  ]) {
    const begun = await fetch(`${url}/install?next=${encodeURIComponent(next)}`, { redirect: 'manual' });
    const done = await fetch(sandbox.pipedrive.authorize(user, begun.headers.get('location')!), {
      redirect: 'manual',
      headers: { cookie: cookiesOf(begun) },
    });
    expect.soft(done.headers.get('location'), next).toBe('/');
  }
});

describe.each(bothDatabases)('on %s', (database) => {
  test('uninstalling ends tokens and sessions at once; with the last user, sending; after the days of grace, the data (A3, O-19)', async () => {
    const { url, sandbox, rep, admin, app, clock, whatsapp, messenger } = await world({ database });
    const { number } = await whatsapp();
    const { page } = await messenger();
    const [sender] = [...sandbox.twilio.state.senders.values()];
    await sandbox.twilio.customer(newNumber(), { name: 'Gustav Ek' }).writes('Hej', { to: number });
    await rep.conversationWith('Gustav Ek');

    expect(await sandbox.pipedrive.uninstall(rep.pipedrive, 'Basic bm86bm8=')).toBe(401);
    expect((await rep.call('GET', '/api/me')).status).toBe(200);
    expect(await sandbox.pipedrive.uninstall(rep.pipedrive)).toBe(200);
    expect(await sandbox.pipedrive.uninstall(rep.pipedrive)).toBe(200);
    expect((await rep.call('GET', '/api/me')).status).toBe(401);
    expect((await admin.call('GET', '/api/me')).status).toBe(200);
    sandbox.faults.next('meta', { method: 'DELETE' }, { kind: 'drop' });
    sandbox.faults.next('twilio', {}, { kind: 'answer', status: 503, body: 'busy' });
    await sandbox.pipedrive.uninstall(admin.pipedrive);
    const state = await app.db.read((reader) =>
      reader.one<{ state: string; sealedCredentials: null }>('select state, sealed_credentials from channel'),
    );
    expect(state).toMatchObject({ state: 'disconnected', sealedCredentials: null });
    // The providers hear of it too, though one is away for a moment.
    await until(() => page.subscribedFields === null && sender!.webhook.callback_url === null, 'word to the providers');

    clock.advance(29 * 86_400_000);
    await installInBrowser(url, sandbox, admin.pipedrive);
    const back = await signedIn(url, sandbox, admin.pipedrive);
    expect(await back.section('all')).toHaveLength(1);
    await sandbox.pipedrive.uninstall(admin.pipedrive);
    clock.advance(31 * 86_400_000);
    await until(async () => !(await app.db.read((reader) => reader.one('select 1 from company'))), 'the erasure');
    for (const table of [
      'conversation',
      'message',
      'contact',
      'contact_identity',
      'channel',
      'app_user',
      'change',
      'timeline_entry',
    ]) {
      expect.soft(await app.db.read((reader) => reader.query(`select 1 from ${table}`)), table).toEqual([]);
    }
  });
});

test('an uninstall notice needs our own id and secret, and takes ids as numbers and as text (O-19)', async () => {
  const { url, sandbox, rep } = await world();
  const { PIPEDRIVE_CLIENT_ID: id = '', PIPEDRIVE_CLIENT_SECRET: secret = '' } = sandbox.env();
  const right = `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
  const send = async (authorization: string | undefined, body: object) => {
    const headers = { 'content-type': 'application/json', ...(authorization === undefined ? {} : { authorization }) };
    return (await fetch(`${url}/oauth/callback`, { method: 'DELETE', headers, body: JSON.stringify(body) })).status;
  };
  const of = (change: object = {}) => ({
    client_id: id,
    company_id: rep.pipedrive.companyId,
    user_id: rep.pipedrive.id,
    timestamp: 'now',
    ...change,
  });

  expect(await send(undefined, of())).toBe(401);
  expect(await send('Basic ', of())).toBe(401);
  expect(await send(`${right}x`, of())).toBe(401);
  expect(await send(right.replace('Basic', 'basic'), of())).toBe(401);
  expect(await send(right, of({ client_id: 'other' }))).toBe(401);
  expect(await send(right, of({ company_id: 1, user_id: 2 }))).toBe(200);
  expect((await rep.call('GET', '/api/me')).status).toBe(200);
  expect(
    await send(right, of({ company_id: String(rep.pipedrive.companyId), user_id: String(rep.pipedrive.id) })),
  ).toBe(200);
  expect((await rep.call('GET', '/api/me')).status).toBe(401);
});

test('a signed token is taken only as Pipedrive makes it (J-01 to J-16)', async () => {
  const { url, sandbox, rep, company } = await world();
  const secret = sandbox.env().PIPEDRIVE_CLIENT_SECRET!;
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1_000);
  const claims = { userId: rep.pipedrive.id, companyId: company.id, iat: now, exp: now + 300 };
  const make = (header: object, payload: object, key = secret, hash = 'sha256'): string => {
    const body = `${encode({ alg: 'HS256', typ: 'JWT', ...header })}.${encode(payload)}`;
    return `${body}.${createHmac(hash, key).update(body).digest('base64url')}`;
  };
  const unsigned = (alg: string): string => `${encode({ alg })}.${encode(claims)}.`;
  const exchange = async (token: unknown): Promise<number> =>
    (
      await fetch(`${url}/api/session`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ token }),
      })
    ).status;

  expect(await exchange(make({}, claims))).toBe(200);
  const table: [string, string][] = [
    ...['none', 'None', 'nOnE'].map((alg): [string, string] => [`J-01 ${alg}`, unsigned(alg)]),
    ['J-02 empty key', make({}, claims, '')],
    ['J-03 client id as key', make({}, claims, sandbox.env().PIPEDRIVE_CLIENT_ID)],
    ['J-04 secret of another app', make({}, claims, 'another')],
    ['J-05 HS384', make({ alg: 'HS384' }, claims, secret, 'sha384')],
    ['J-05 HS512', make({ alg: 'HS512' }, claims, secret, 'sha512')],
    ['J-06 RS256', make({ alg: 'RS256' }, claims)],
    ['J-08 crit', make({ crit: ['x'], x: 1 }, claims)],
    ['J-09 no exp', make({}, { ...claims, exp: undefined })],
    ['J-10 past', make({}, { ...claims, iat: now - 700, exp: now - 400 })],
    ['J-10 text', make({}, { ...claims, exp: '9999999999' })],
    ['J-10 1e308', make({}, { ...claims, exp: 1e308 })],
    ['J-10 array', make({}, { ...claims, exp: [now + 300] })],
    ['J-11 a year', make({}, { ...claims, exp: now + 31_536_000 })],
    ['J-12 iat ahead', make({}, { ...claims, iat: now + 200, exp: now + 400 })],
    ['J-12 nbf ahead', make({}, { ...claims, nbf: now + 200 })],
    ...['1', [1], {}, -1, 0, 1e20, undefined].map((userId): [string, string] => [
      `J-13 user ${JSON.stringify(userId)}`,
      make({}, { ...claims, userId }),
    ]),
    ['J-16 two dots', '..'],
    ['J-16 four parts', `${make({}, claims)}.x`],
    ['J-16 NUL', `${make({}, claims)}\u0000`],
  ];
  for (const [id, token] of table) expect.soft(await exchange(token), id).toBe(401);
  expect(await exchange('x'.repeat(1_000_000))).toBe(413);
  expect(await exchange(make({ jwk: {}, jku: 'http://x', kid: '../../dev/null' }, claims))).toBe(200);
});

test('a user without the app of his own is told to install it, and so is one of an unknown company (A6, J-15)', async () => {
  const { url, sandbox, company } = await world();
  const colleague = sandbox.pipedrive.addUser(company, { name: 'Ewa Kowalczyk' });
  const stranger = sandbox.pipedrive.addUser(sandbox.pipedrive.addCompany({ name: 'Elsewhere' }), { name: 'Strange' });
  for (const user of [colleague, stranger]) {
    const answer = await fetch(`${url}/api/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token: sandbox.pipedrive.signedToken(user) }),
    });
    expect([answer.status, ((await answer.json()) as { error: { code: string } }).error.code]).toEqual([
      403,
      'app_not_installed',
    ]);
  }
});

test('with the cookie alone, nothing can be changed from another site (A-20 to A-24)', async () => {
  const { url, sandbox, admin } = await world();
  const cookie = await installInBrowser(url, sandbox, admin.pipedrive);
  const change = async (headers: Record<string, string>, body = '{"available":false}') =>
    (
      await fetch(`${url}/api/me/availability`, {
        method: 'PUT',
        headers: { cookie, 'content-type': 'application/json', ...headers },
        body,
      })
    ).status;

  expect(await change({})).toBe(403);
  expect(await change({ origin: 'null' })).toBe(403);
  expect(await change({ origin: 'https://evil.pipedrive.com.evil.example' })).toBe(403);
  expect(await change({ origin: url, 'sec-fetch-site': 'cross-site' })).toBe(403);
  expect(await change({ origin: url, 'content-type': 'text/plain' })).toBe(415);
  expect(await change({ origin: url, 'content-type': 'application/x-www-form-urlencoded' }, 'available=false')).toBe(
    415,
  );
  expect(await change({ origin: url })).toBe(200);
  const overridden = await fetch(`${url}/api/session`, { headers: { cookie, 'x-http-method-override': 'DELETE' } });
  expect(overridden.status).toBe(405);
});

test('fifty calls with an expired token make one refresh; a withdrawn grant is silent afterwards (A4, P-06, P-07)', async () => {
  const here = await world();
  const { sandbox, admin } = here;
  here.expectInLog(/needs re-install/);
  sandbox.pipedrive.state.burstLimit = 1_000;
  sandbox.pipedrive.state.searchLimit = 1_000;
  sandbox.pipedrive.state.rotating = true;
  here.clock.advance(3_600_000);
  const refreshes = () => here.sandbox.pipedrive.state.grants.length;
  expect(refreshes()).toBe(2);
  const before = sandbox.pipedrive.state.grants.find((grant) => grant.userId === admin.pipedrive.id)!.refreshToken;

  const answers = await Promise.all(
    Array.from({ length: 50 }, () => admin.call('GET', '/api/records?type=person&q=hannah')),
  );
  const after = sandbox.pipedrive.state.grants.find((grant) => grant.userId === admin.pipedrive.id)!.refreshToken;
  expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(200));
  expect(after).not.toBe(before);

  sandbox.pipedrive.revokeTokens(admin.pipedrive);
  const refused = await admin.call<{ error: { code: string } }>('GET', '/api/records?type=person&q=hannah');
  const calls = sandbox.pipedrive.calls.length;
  await admin.call('GET', '/api/records?type=person&q=hannah');
  expect(refused.body.error.code).toBe('reconnect_needed');
  expect(sandbox.pipedrive.calls.length).toBe(calls);
  expect((await admin.call<{ reconnectNeeded: boolean }>('GET', '/api/me')).body.reconnectNeeded).toBe(true);
});

test('a refusal of old tokens says nothing of those that a new install has brought meanwhile (A2, A4)', async () => {
  const here = await world();
  const { sandbox, admin } = here;
  await here.settled();
  sandbox.pipedrive.revokeTokens(admin.pipedrive);
  here.clock.advance(3_600_000);
  sandbox.faults.next('pipedrive', { method: 'POST', path: /oauth\/token/ }, { kind: 'delay', ms: 700 });
  const refused = admin.call('GET', '/api/records?type=person&q=hannah');
  await until(async () => {
    const row = await here.app.db.read((reader) =>
      reader.one('select 1 from installation where user_id = ? and refresh_lease_until is not null', [admin.id]),
    );
    return row !== undefined;
  }, 'the refresh under way');

  await installInBrowser(here.url, sandbox, admin.pipedrive);
  expect((await refused).status).toBe(503);

  expect((await admin.call('GET', '/api/records?type=person&q=hannah')).status).toBe(200);
  expect((await admin.call<Me>('GET', '/api/me')).body.reconnectNeeded).toBe(false);
});

test('rights, name and language changed in Pipedrive hold here within the hour, without a new install (A7, U1)', async () => {
  const here = await world();
  const opened = openEvents(here.url, here.rep.token, 0);
  Object.assign(here.admin.pipedrive, { admin: false, name: 'Erik Lund-Berg', language: 'sv', currency: 'NOK' });

  here.clock.advance(61 * 60_000);
  await here.admin.call('GET', '/api/me');
  await here.settled();

  const { body } = await here.admin.call<Me>('GET', '/api/me');
  expect(body.user).toMatchObject({ isAdmin: false, name: 'Erik Lund-Berg', language: 'sv', currency: 'NOK' });
  expect((await here.admin.call('PATCH', '/api/settings', { mailContent: false })).status).toBe(403);
  await until(
    () =>
      opened.events.some(
        ({ name, data }) => name === 'user.changed' && (data.user as { name: string }).name === 'Erik Lund-Berg',
      ),
    'the new name in an open window',
  );
  opened.close();
});

test('while Pipedrive does not tell a profile the old one holds, and it is asked again (A7)', async () => {
  const here = await world();
  here.admin.pipedrive.admin = false;
  here.sandbox.faults.next('pipedrive', { path: /users\/me/ }, { kind: 'answer', status: 500, body: '<html>' });
  const isAdmin = async () => (await here.admin.call<Me>('GET', '/api/me')).body.user.isAdmin;

  here.clock.advance(61 * 60_000);
  expect(await isAdmin()).toBe(true);
  await here.settled();
  expect(await isAdmin()).toBe(true);

  here.clock.advance(10 * 60_000);
  await here.settled();
  expect(await isAdmin()).toBe(false);
});
