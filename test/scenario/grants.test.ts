// What a user's grant at Pipedrive allows, and for how long: tokens refreshed once, withdrawn, renewed; rights that change (A2, A4, A7).
import { expect, test } from 'vitest';
import type { Me } from '../../src/web/contract.ts';
import { openEvents } from '../support/events.ts';
import { until } from '../support/wait.ts';
import { installInBrowser, world } from '../support/world.ts';

test('fifty calls with an expired token make one refresh; a withdrawn grant is silent afterwards (A4, P-06, P-07)', async () => {
  const here = await world();
  const { sandbox, admin } = here;
  here.expectInLog(/needs re-install/);
  sandbox.pipedrive.state.burstLimit = 1_000;
  sandbox.pipedrive.state.searchLimit = 1_000;
  sandbox.pipedrive.state.rotating = true;
  here.clock.advance(3_600_000);
  const tokenOf = () =>
    sandbox.pipedrive.state.grants.find((grant) => grant.userId === admin.pipedrive.id)!.refreshToken;
  const timesHandedIn = (token: string) => sandbox.pipedrive.state.refreshes.filter((each) => each === token).length;
  const search = () => admin.call<{ error: { code: string } }>('GET', '/api/records?type=person&q=hannah');
  const before = tokenOf();

  const answers = await Promise.all(Array.from({ length: 50 }, search));

  const after = tokenOf();
  expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(200));
  expect(after).not.toBe(before);
  expect([timesHandedIn(before), timesHandedIn(after)]).toEqual([1, 0]);

  sandbox.pipedrive.revokeTokens(admin.pipedrive);
  const refused = await search();
  const calls = sandbox.pipedrive.calls.length;
  await search();
  expect(refused.body.error.code).toBe('reconnect_needed');
  expect(sandbox.pipedrive.calls.length).toBe(calls);
  expect(timesHandedIn(after)).toBe(1);
  expect((await admin.call<Me>('GET', '/api/me')).body.reconnectNeeded).toBe(true);
});

test('a refusal of old tokens says nothing of those that a new install has brought meanwhile (A2, A4)', async () => {
  const here = await world();
  const { sandbox, admin } = here;
  await here.settled();
  sandbox.pipedrive.revokeTokens(admin.pipedrive);
  here.clock.advance(3_600_000);
  sandbox.faults.next('pipedrive', { method: 'POST', path: /oauth\/token/ }, { kind: 'delay', ms: 60_000 });
  const refused = admin.call('GET', '/api/records?type=person&q=hannah');
  await until(async () => {
    const row = await here.app.db.read((reader) =>
      reader.one('select 1 from installation where user_id = ? and refresh_lease_until is not null', [admin.id]),
    );
    return row !== undefined;
  }, 'the refresh under way');

  await installInBrowser(here.url, sandbox, admin.pipedrive);
  sandbox.faults.release();
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
