// The Channels API is announced as ended: found out quietly and cheaply, and nothing else depends on it (B4, P-08, O-05).
import { describe, expect, test } from 'vitest';
import type { Channel, Me } from '../../src/web/contract.ts';
import { bridged } from '../support/leads-inbox.ts';
import { until } from '../support/wait.ts';
import { newNumber, signedIn, world, type TestUser, type World } from '../support/world.ts';

const dayMs = 86_400_000;

const bridgeOf = async (user: TestUser) => (await user.call<Me>('GET', '/api/me')).body.bridge;
const channelCalls = (here: World) =>
  here.sandbox.pipedrive.calls.filter(({ path }) => path.startsWith('/api/v1/channels'));

/** A day later the daily look is due; the sessions of the day before are over. */
async function nextDay(here: World): Promise<void> {
  here.clock.advance(dayMs + 60_000);
  Object.assign(here.admin, await signedIn(here.url, here.sandbox, here.admin.pipedrive));
  await here.admin.call('PUT', '/api/me/availability', { available: true });
}

test.each([404, 405, 410, 501] as const)(
  'an account whose Channels API answers %i is found unavailable with one call, without a warning, and asked again a day later at most (P-08)',
  async (status) => {
    const here = await world();
    here.sandbox.pipedrive.leadsInbox.mode = status;
    expect(await bridgeOf(here.admin)).toEqual({ state: 'off', reason: 'no_channel' });

    const { number, channel } = await here.whatsapp();
    await until(async () => (await bridgeOf(here.admin)).state === 'unavailable', 'the answer being understood');
    await here.sandbox.twilio.customer(newNumber(), { name: 'Hannah' }).writes('Hello?', { to: number });
    const conversation = await here.rep.conversationWith('Hannah');
    await here.rep.sends(conversation.id, 'Hello!');
    await here.settled();

    expect(await bridgeOf(here.admin)).toEqual({ state: 'unavailable', reason: 'gone' });
    const channels = await here.admin.call<{ data: Channel[] }>('GET', '/api/channels');
    expect(channels.body.data.find(({ id }) => id === channel.id)!.bridge).toBe('unavailable');
    expect(channelCalls(here)).toHaveLength(1);
    await nextDay(here);
    await until(() => channelCalls(here).length === 2, 'the look of the next day');
    await here.settled();
    expect(channelCalls(here)).toHaveLength(2);
  },
);

test('switched off by the operator, nothing is called and every endpoint is empty (B4)', async () => {
  const here = await bridged({ environment: { PIPEDRIVE_CHANNELS_API: 'off' } });
  const { channel } = await here.whatsapp();
  await here.settled();

  expect(await bridgeOf(here.admin)).toEqual({ state: 'off', reason: 'switched_off' });
  expect(channelCalls(here)).toEqual([]);
  expect((await here.asPipedrive('GET', `/${channel.id}/conversations`)).status).toBe(404);
});

test('with "on" the operator says that it must work: it is asked again after a quarter of an hour (B4)', async () => {
  const here = await world({ environment: { PIPEDRIVE_CHANNELS_API: 'on' } });
  await here.whatsapp();
  await until(async () => (await bridgeOf(here.admin)).state === 'unavailable', 'the answer being understood');

  here.clock.advance(16 * 60_000);
  await here.admin.call('PUT', '/api/me/availability', { available: true });

  await until(() => channelCalls(here).length === 2, 'the second look');
});

describe('what is missing is told apart', () => {
  test('a scope that was not granted blocks the bridge until somebody installs anew (B4)', async () => {
    const here = await bridged();
    here.inbox.mode = 403;
    await here.whatsapp();
    await until(async () => (await bridgeOf(here.admin)).state === 'blocked', 'the answer being understood');
    expect(await bridgeOf(here.admin)).toEqual({ state: 'blocked', reason: 'scope' });

    here.inbox.mode = 'alive';
    await here.install(here.admin.pipedrive);

    await until(async () => (await bridgeOf(here.admin)).state === 'active', 'the bridge');
  });

  test('a token that is refused there is not held against the installation: notes and all else go on (B4)', async () => {
    const here = await bridged();
    here.inbox.mode = 401;
    await here.whatsapp();
    await until(async () => (await bridgeOf(here.admin)).state === 'blocked', 'the answer being understood');

    expect(await bridgeOf(here.admin)).toEqual({ state: 'blocked', reason: 'unauthorized' });
    expect((await here.admin.call<Me>('GET', '/api/me')).body.reconnectNeeded).toBe(false);
  });

  test('only an admin may register a channel: another admin’s token does where the owner lost the right (B2)', async () => {
    const here = await bridged();
    const second = await here.install(
      here.sandbox.pipedrive.addUser(here.company, { name: 'Karin Nord', admin: true }),
    );
    here.admin.pipedrive.admin = false;

    const { channel } = await here.whatsapp();

    const shown = await until(() => here.inbox.channelOf(channel.id), 'the channel in Leads Inbox');
    expect(shown.userId).toBe(second.pipedrive.id);
  });

  test('a private channel is registered by its owner or not at all: a colleague would see it (A8)', async () => {
    const here = await bridged();
    await here.install(here.sandbox.pipedrive.addUser(here.company, { name: 'Karin Nord', admin: true }));
    const { channel } = await here.whatsapp(here.admin, 'private');
    const shown = await until(() => here.inbox.channelOf(channel.id), 'the channel in Leads Inbox');
    expect(shown.userId).toBe(here.admin.pipedrive.id);

    here.admin.pipedrive.admin = false;
    const other = await here.whatsapp(here.admin, 'private');
    await here.settled();

    expect(here.inbox.channelOf(other.channel.id)).toBeUndefined();
    expect(await bridgeOf(here.admin)).toEqual({ state: 'active', reason: null });
    const channels = await here.admin.call<{ data: Channel[] }>('GET', '/api/channels');
    expect(channels.body.data.find(({ id }) => id === other.channel.id)!.bridge).toBe('blocked');
  });
});

test('two processes push what is said in one conversation in its order, over slow, lost and refused calls, and lose nothing (B2, O-03)', async () => {
  const here = await bridged({ database: 'postgres' });
  const second = await here.beside();
  const { number, channel } = await here.whatsapp();
  const shown = await until(() => here.inbox.channelOf(channel.id), 'the channel in Leads Inbox');
  const receive = { method: 'POST', path: /messages\/receive/ };
  for (let call = 0; call < 90; call += 1) {
    here.sandbox.faults.next('pipedrive', receive, { kind: 'delay', ms: (call * 37) % 60 });
    if (call === 20) here.sandbox.faults.next('pipedrive', receive, { kind: 'do-then-drop' });
    if (call === 35) here.sandbox.faults.next('pipedrive', receive, { kind: 'answer', status: 503 });
    if (call === 65)
      here.sandbox.faults.next('pipedrive', receive, { kind: 'answer', status: 429, headers: { 'retry-after': '1' } });
  }
  const names = ['Anna', 'Bo', 'Cia', 'Dan', 'Eva', 'Filip'];
  const said = Array.from({ length: 15 }, (_, index) => `message ${index}`);

  await Promise.all(
    names.map(async (name) => {
      const customer = here.sandbox.twilio.customer(newNumber(), { name });
      for (const words of said) await customer.writes(words, { to: number });
    }),
  );
  const arrived = () => new Set(here.inbox.received.map(({ messageId }) => messageId)).size;
  await until(() => arrived() === names.length * said.length, 'everything there', 25_000);
  await here.settled();

  for (const name of names) {
    const { id } = await here.rep.conversationWith(name);
    const order = (await here.rep.messages(id)).map((message) => message.id);
    const pushed = here.inbox.received.filter(({ conversationId }) => conversationId === id);
    const places = pushed.map(({ messageId }) => order.indexOf(messageId));
    // A push whose answer was lost is said again before anything that follows it.
    expect(places, name).toEqual(places.toSorted((one, other) => one - other));
  }
  const texts = shown.conversations.map(({ messages }) => messages.map(({ message }) => message));
  expect(texts).toEqual(names.map(() => said));
  for (const url of [here.url, second]) {
    const metrics = await (await fetch(`${url}/metrics`)).text();
    const done = /inbox_jobs_total\{[^}]*task="push-conversation"[^}]*outcome="done"[^}]*\} (\d+)/.exec(metrics);
    expect(Number(done?.[1]), url).toBeGreaterThan(0);
  }
  expect(here.inbox.problems).toEqual([]);
}, 60_000);

test('a company whose Pipedrive hangs holds up neither its own inbox nor another company’s Leads Inbox (B4, O-05)', async () => {
  const here = await bridged();
  const { pipedrive, faults, twilio } = here.sandbox;
  const elsewhere = pipedrive.addCompany({ name: 'Elsewhere', domain: 'elsewhere' });
  const olle = await here.install(pipedrive.addUser(elsewhere, { name: 'Olle Strand', admin: true }));
  const [own, other] = [await here.whatsapp(), await here.whatsapp(olle)];
  const shownOther = await until(() => here.inbox.channelOf(other.channel.id), 'the other channel there');
  const shownOwn = await until(() => here.inbox.channelOf(own.channel.id), 'the own channel there');
  const tokens = pipedrive.state.grants
    .filter(({ companyId }) => companyId === here.company.id)
    .map(({ accessToken }) => accessToken);
  const hung = { method: 'POST', path: /messages\/receive/, tokens };
  faults.next('pipedrive', hung, { kind: 'hang' }, 1_000);
  const many = Array.from({ length: 40 }, (_, index) => twilio.customer(newNumber(), { name: `Guest ${index}` }));
  await Promise.all(many.map((guest) => guest.writes('Hello', { to: own.number })));
  const hannah = twilio.customer(newNumber(), { name: 'Hannah' });
  for (let index = 0; index < 10; index += 1) await hannah.writes(`message ${index}`, { to: other.number });
  await until(() => shownOther.conversations[0]?.messages.length === 10, 'all of the other company’s there');

  // No more than four workers wait for it, and nobody else does.
  await until(() => faults.held() === 4, 'four calls that hang');
  expect((await here.rep.counts()).unassigned.total).toBe(40);
  const withGuest = await here.rep.conversationWith('Guest 39');
  await here.rep.sends(withGuest.id, 'Hello!');
  await until(() => many[39]!.inbox.length === 1, 'the answer on the phone');
  expect(shownOwn.conversations).toEqual([]);

  faults.clear();
  faults.release();
  await until(() => {
    here.clock.advance(2_000);
    return shownOwn.conversations.length === 40;
  }, 'all that waited');
  await here.settled();
  expect(here.inbox.problems).toEqual([]);
}, 60_000);

test.each([
  ['410', 410, 'unavailable', 'sqlite'],
  ['404', 404, 'unavailable', 'postgres'],
  ['403 for the scope', 403, 'blocked', 'sqlite'],
] as const)(
  'switched off in mid-stream with %s and on again: nothing waits for it, nothing is lost, nothing doubles (B4)',
  async (_, mode, state, database) => {
    const here = await bridged({ database });
    const { number, channel } = await here.whatsapp();
    const shown = await until(() => here.inbox.channelOf(channel.id), 'the channel in Leads Inbox');
    const hannah = here.sandbox.twilio.customer(newNumber(), { name: 'Hannah' });
    const gustav = here.sandbox.twilio.customer(newNumber(), { name: 'Gustav' });
    await hannah.writes('one', { to: number });
    await until(() => shown.conversations[0]?.messages.length === 1, 'the first message there');

    here.inbox.mode = mode;
    await hannah.writes('two', { to: number });
    await until(async () => (await bridgeOf(here.admin)).state === state, 'the answer being understood');
    const callsWhenFound = channelCalls(here).length;
    await hannah.writes('three', { to: number });
    await gustav.writes('four', { to: number });
    const withHannah = await here.rep.conversationWith('Hannah');
    await here.rep.sends(withHannah.id, 'five');
    await until(() => hannah.inbox.length === 1, 'the answer on the phone, as ever');
    await here.settled();
    expect(channelCalls(here)).toHaveLength(callsWhenFound);

    here.inbox.mode = 'alive';
    await nextDay(here);
    await until(() => shown.conversations.length === 2, 'the other conversation there');
    await until(() => shown.conversations[0]!.messages.length === 4, 'all that was said there');
    await here.settled();

    expect(await bridgeOf(here.admin)).toEqual({ state: 'active', reason: null });
    const texts = shown.conversations.map(({ messages }) => messages.map(({ message }) => message));
    expect(texts).toEqual([['one', 'two', 'three', 'five'], ['four']]);
    const pushed = here.inbox.received.map(({ messageId }) => messageId);
    expect(new Set(pushed).size).toBe(pushed.length);
    expect(here.inbox.problems).toEqual([]);
  },
);
