// Installing and uninstalling, and callbacks that are not what they say (A2, A3, O-01 to O-19).
import { describe, expect, test } from 'vitest';
import { bothDatabases } from '../support/databases.ts';
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
