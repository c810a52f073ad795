// What somebody must put right is told once for each change of state, to those who can (C14, A4, H7, N5).
import { describe, expect, test } from 'vitest';
import type { AdminNotice } from '../../src/web/contract.ts';
import { bothDatabases } from '../support/databases.ts';
import { until } from '../support/wait.ts';
import { newNumber, world, type TestUser, type World } from '../support/world.ts';

const open = async (user: TestUser): Promise<AdminNotice[]> =>
  (await user.call<{ data: AdminNotice[] }>('GET', '/api/me/admin-notices')).body.data;
const subjects = (here: World, user: TestUser): string[] =>
  here.sandbox.mail.of(user.pipedrive.email).map(({ subject }) => subject);

/** A channel whose token was changed at Twilio, found out by a reply that could not be sent. */
async function breaks(here: World, visibility: 'shared' | 'private'): Promise<{ id: string; fails(): Promise<void> }> {
  const { channel, number } = await here.whatsapp(here.admin, visibility);
  const customer = here.sandbox.twilio.customer(newNumber(), { name: 'Hannah Berg' });
  await customer.writes('Is week 24 free?', { to: number });
  const { id } = await here.admin.conversationWith('Hannah Berg');
  const account = [...here.sandbox.twilio.state.accounts.values()].at(-1)!;
  here.sandbox.twilio.rotateToken(account);
  const fails = async (): Promise<void> => {
    const answer = await here.admin.call('POST', `/api/conversations/${id}/messages`, {
      clientMessageId: `fails-${Math.random()}`,
      text: 'Yes',
    });
    expect([202, 409]).toContain(answer.status);
    await here.settled();
  };
  await fails();
  return { id: channel.id, fails };
}

describe.each(bothDatabases)('on %s', (database) => {
  test('a channel that breaks: admins and owner are told once, in the inbox and by mail (C14)', async () => {
    const here = await world({ database, environment: { MAIL_DEBOUNCE_MS: '600000' } });
    here.expectInLog(/reconnect|broken/);
    const { fails } = await breaks(here, 'shared');
    await until(async () => (await open(here.admin)).length === 1, 'the notice');
    await fails();

    expect(await open(here.admin)).toMatchObject([
      { kind: 'channel_broken', title: "WhatsApp Gothenburg can't send", url: '/settings', dismissible: false },
    ]);
    expect(await open(here.rep)).toEqual([]);
    await until(() => subjects(here, here.admin).length > 0, 'the mail');
    await here.settled();
    expect(subjects(here, here.admin)).toEqual(["WhatsApp Gothenburg can't send"]);
    expect(subjects(here, here.rep)).toEqual([]);
    const [notice] = await open(here.admin);
    expect((await here.admin.call('DELETE', `/api/me/admin-notices/${notice!.id}`)).status).toBe(409);
    expect((await here.rep.call('DELETE', `/api/me/admin-notices/${notice!.id}`)).status).toBe(404);
  }, 60_000);
});

test('of a private channel only its owner hears, not the other admins (A8)', async () => {
  const here = await world({ environment: { MAIL_DEBOUNCE_MS: '600000' } });
  here.expectInLog(/reconnect|broken/);
  const chief = await here.install(here.sandbox.pipedrive.addUser(here.company, { name: 'Britt Ahl', admin: true }));
  await breaks(here, 'private');
  await until(async () => (await open(here.admin)).length === 1, 'the notice');

  expect(await open(chief)).toEqual([]);
  expect(subjects(here, chief)).toEqual([]);
}, 60_000);

test('an installation that must be renewed: its user and the admins are told once each time, until he installs anew (A4)', async () => {
  const here = await world({ environment: { MAIL_DEBOUNCE_MS: '600000' } });
  here.expectInLog(/needs re-install/);
  const other = await here.install(here.sandbox.pipedrive.addUser(here.company, { name: 'Maja Ek' }));
  const isRefused = async (): Promise<void> => {
    here.sandbox.pipedrive.revokeTokens(here.rep.pipedrive);
    here.clock.advance(3_600_000);
    for (let times = 0; times < 3; times += 1) await here.rep.call('GET', '/api/records?type=person&q=hannah');
    await here.settled();
  };

  await isRefused();

  const [own, ofAdmin] = [
    'Pipedrive låter inte längre appen arbeta för dig',
    'Pipedrive no longer lets the app act for Sara Holm',
  ];
  expect(await open(here.rep)).toMatchObject([
    { kind: 'reconnect_needed', title: own, action: 'Installera igen', url: '/install', dismissible: false },
  ]);
  expect(await open(here.admin)).toMatchObject([{ kind: 'reconnect_needed', title: ofAdmin, url: '/settings' }]);
  expect(await open(other)).toEqual([]);
  expect([here.rep, here.admin, other].map((user) => subjects(here, user))).toEqual([[own], [ofAdmin], []]);
  const [mail] = here.sandbox.mail.of(here.rep.pipedrive.email);
  expect(mail!.text).toContain(`Installera igen: ${here.url}/install`);

  await here.install(here.rep.pipedrive);
  await here.settled();
  expect([await open(here.rep), await open(here.admin)]).toEqual([[], []]);
  await isRefused();
  expect([here.rep, here.admin, other].map((user) => subjects(here, user).length)).toEqual([2, 2, 0]);
}, 60_000);

test('a day’s budget that is used up: admins are told, and it ends by itself when there is some again (H7)', async () => {
  const here = await world({ environment: { MAIL_DEBOUNCE_MS: '600000' } });
  here.sandbox.faults.next(
    'pipedrive',
    { path: /pipelines|stages/ },
    {
      kind: 'answer',
      status: 429,
      headers: { 'x-daily-ratelimit-token-limit': '30000', 'x-daily-ratelimit-token-remaining': '0' },
      body: { success: false, error: 'daily limit' },
    },
  );

  await here.admin.call('GET', '/api/pipelines');
  await until(() => subjects(here, here.admin).length === 1, 'the mail');
  expect(await open(here.admin)).toMatchObject([{ kind: 'budget_spent' }]);
  expect(await open(here.rep)).toEqual([]);
  here.clock.advance(3_700_000);
  await here.settled();

  await until(async () => {
    await here.admin.call('GET', '/api/pipelines');
    return (await open(here.admin)).length === 0;
  }, 'the end of it');
  expect(subjects(here, here.admin)).toHaveLength(1);
}, 60_000);

test('a colleague’s wish reaches the owner by mail and in the inbox, and can be put aside (N5)', async () => {
  const here = await world();
  const { channel } = await here.whatsapp(here.admin, 'private');

  await here.rep.call('POST', `/api/channels/${channel.id}/ask-owner`, { what: 'share' });
  await here.rep.call('POST', `/api/channels/${channel.id}/ask-owner`, { what: 'share' });
  await here.settled();

  expect(subjects(here, here.admin)).toEqual(['Sara Holm asks you to share WhatsApp Gothenburg']);
  const [wish] = await open(here.admin);
  expect(wish).toMatchObject({ kind: 'asked_to_share', dismissible: true });
  expect((await here.rep.call('DELETE', `/api/me/admin-notices/${wish!.id}`)).status).toBe(404);
  expect((await here.admin.call('DELETE', `/api/me/admin-notices/${wish!.id}`)).status).toBe(204);
  expect(await open(here.admin)).toEqual([]);
  expect(subjects(here, here.rep)).toEqual([]);
}, 60_000);
