// Who is let in: by Pipedrive's signed token in a frame, by a cookie on the full page; and what tries without (A5, A6, J-01 to J-17).
import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { installInBrowser, world } from '../support/world.ts';

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
