// A Page whose permission ends, is left out, taken away or looked at: the channel says why, and what mends it (C1, C14, O5).
import { expect, test } from 'vitest';
import type { Channel } from '../../src/web/contract.ts';
import { until } from '../support/wait.ts';
import { world, type World } from '../support/world.ts';

async function loggedIn({ sandbox, admin }: World, choice: object = {}) {
  const person = [...sandbox.meta.state.people.values()][0]!;
  const begun = await admin.call<{ login: string; authorizeUrl: string }>('POST', '/api/channels/messenger/login');
  const back = await fetch(sandbox.meta.authorize(person, begun.body.authorizeUrl, choice));
  return { login: begun.body.login, status: back.status, page: await back.text() };
}

const healthOf = async ({ admin }: World): Promise<Channel['health']> =>
  (await admin.call<{ data: Channel[] }>('GET', '/api/channels')).body.data[0]!.health;

test('a token revoked in mid-conversation: said, sending stops, what comes is kept, signing in again mends all (C14)', async () => {
  const here = await world();
  const { sandbox, admin, rep } = here;
  const { page } = await here.messenger();
  const customer = sandbox.meta.customer({ name: 'Johan Mattsson' });
  await customer.writes('Hej', { to: page });
  const { id } = await admin.conversationWith('Johan Mattsson');
  sandbox.meta.revokePageToken(page, 460);

  const sent = await rep.sends(id, 'Hello');
  const message = async () => (await rep.messages(id)).find((found) => found.id === sent.id)!;
  await until(async () => (await message()).status === 'failed', 'the failure');
  expect((await message()).error).toMatchObject({ code: 'token_password', providerCode: '190/460' });
  const health = await healthOf(here);
  expect(health).toMatchObject({ state: 'broken', reasons: [{ code: 'token', action: 'Sign in with Facebook' }] });
  expect(health.reasons[0]!.message).toContain('changed the password');
  const refused = await rep.call<{ error: { code: string } }>('POST', `/api/conversations/${id}/messages`, {
    clientMessageId: 'while-broken',
    text: 'Again?',
  });
  expect(refused.body.error.code).toBe('channel_broken');

  await customer.writes('Are you there?', { to: page });
  await until(
    async () => (await rep.messages(id)).some(({ text }) => text === 'Are you there?'),
    'what came meanwhile',
  );
  page.subscribedFields = null;
  await customer.writes('Nobody tells you this', { to: page });

  const { login } = await loggedIn(here);
  const again = await admin.call('POST', '/api/channels/messenger', { login, pageIds: [page.id] });
  expect(again.status).toBe(201);
  await until(
    async () => (await rep.messages(id)).some(({ text }) => text === 'Nobody tells you this'),
    'what was missed',
  );
  expect((await healthOf(here)).state).toBe('ok');
  expect((await rep.call('POST', `/api/messages/${sent.id}/resend`)).status).toBe(202);
  await until(() => customer.inbox.length === 1, 'the message on the phone');
});

test('a Page left out of a later sign-in is said to be, and comes back with the next one that has it (rapidpro#1481)', async () => {
  const here = await world();
  const { page } = await here.messenger();

  await loggedIn(here, { pages: [] });
  expect((await healthOf(here)).reasons[0]!.message).toContain('left out at the last Facebook sign-in');
  await loggedIn(here, { pages: [page] });

  expect((await healthOf(here)).state).toBe('ok');
});

test('every permission that was declined is named', async () => {
  const here = await world();
  here.sandbox.meta.addPerson({ name: 'Erik Lund' });

  const { status, page } = await loggedIn(here, { declined: ['pages_messaging', 'pages_manage_metadata'] });

  expect(status).toBe(403);
  expect(page).toContain('pages_messaging');
  expect(page).toContain('pages_manage_metadata');
});

test('a channel is looked at on demand: rights, webhook and token, each with its value (C14)', async () => {
  const here = await world();
  const { admin, rep, sandbox } = here;
  const { page, channel } = await here.messenger();
  page.subscribedFields = null;

  const found = await admin.call<Channel>('POST', `/api/channels/${channel.id}/check`);
  expect(page.subscribedFields).toContain('messages');
  expect(found.body.health.state).toBe('ok');
  expect(found.body.health.checks.map(({ name, ok }) => [name, ok])).toEqual([
    ['Permission', true],
    ['Page rights', true],
    ['Webhook', true],
    ['Last message in', true],
    ['Last message out', true],
    ['Last error', true],
    ...found.body.health.checks.slice(6).map(({ name, ok }) => [name, ok]),
  ]);
  expect(found.body.health.checks).toContainEqual({ name: 'Webhook', ok: true, value: 'Switched on again by us' });
  expect((await rep.call('POST', `/api/channels/${channel.id}/check`)).status).toBe(403);

  [...sandbox.meta.state.people.values()][0]!.grant!.scopes.delete('pages_messaging');
  const missing = await admin.call<Channel>('POST', `/api/channels/${channel.id}/check`);
  expect(missing.body.health).toMatchObject({ state: 'warning', reasons: [{ code: 'permissions' }] });
  expect(missing.body.health.reasons[0]!.message).toContain('pages_messaging');

  await here.settled();
  expect((await admin.call('DELETE', `/api/channels/${channel.id}`)).status).toBe(204);
  expect(page.subscribedFields).toBeNull();
  const left = await here.app.db.read((reader) => reader.one('select state, sealed_credentials from channel'));
  expect(left).toEqual({ state: 'disconnected', sealedCredentials: null });
});

test('who removes the app ends his Pages’ channels, and who wants deletion gets it with a page that says so (O5)', async () => {
  const here = await world();
  const { sandbox, url, app } = here;
  await here.messenger();
  const [person] = [...sandbox.meta.state.people.values()];

  expect((await sandbox.meta.deauthorize(person!)).status).toBe(200);
  expect(await healthOf(here)).toMatchObject({ state: 'broken', reasons: [{ code: 'token' }] });
  const answer = (await (await sandbox.meta.requestDeletion(person!)).json()) as {
    url: string;
    confirmation_code: string;
  };
  const page = await fetch(answer.url);

  expect(answer.confirmation_code).toMatch(/^[0-9a-z]+$/);
  expect(page.status).toBe(200);
  expect(await page.text()).toContain(answer.confirmation_code);
  const left = await app.db.read((reader) => reader.query('select facts from channel'));
  expect(JSON.stringify(left)).not.toContain(person!.id);
  const forged = await fetch(`${url}/webhooks/meta/data-deletion`, {
    method: 'POST',
    body: new URLSearchParams({ signed_request: `x.${Buffer.from('{}').toString('base64url')}` }),
  });
  expect(forged.status).toBe(403);
  expect((await fetch(`${url}/privacy/deletion/unknown`)).status).toBe(404);
});
