// What Facebook remembers: the import of what was before, and what no webhook brought (C13, C8, C10, I-08).
import { describe, expect, test } from 'vitest';
import type { Channel, Message } from '../../src/web/contract.ts';
import { bothDatabases } from '../support/databases.ts';
import { until } from '../support/wait.ts';
import { signedIn, world, type World } from '../support/world.ts';

const minute = 60_000;

function newPage({ sandbox, admin }: World) {
  const person = sandbox.meta.addPerson({ name: admin.name });
  return { person, page: sandbox.meta.addPage({ name: 'Nordtak Sverige', ownedBy: person }) };
}

async function connect({ sandbox, admin }: World, { person, page }: ReturnType<typeof newPage>): Promise<Channel> {
  const begun = await admin.call<{ login: string; authorizeUrl: string }>('POST', '/api/channels/messenger/login');
  await fetch(sandbox.meta.authorize(person, begun.body.authorizeUrl));
  const answer = await admin.call<{ data: Channel[] }>('POST', '/api/channels/messenger', {
    login: begun.body.login,
    pageIds: [page.id],
  });
  return answer.body.data[0]!;
}

const readChannel = async ({ admin }: World, id: string): Promise<Channel> =>
  (await admin.call<{ data: Channel[] }>('GET', '/api/channels')).body.data.find((channel) => channel.id === id)!;

describe.each(bothDatabases)('on %s', (database) => {
  test('what was said before is taken over: in order, read, without a note or a sign of life (C13)', async () => {
    const here = await world({ database });
    const { sandbox, admin, clock } = here;
    const connected = newPage(here);
    const { page } = connected;
    const people = Array.from({ length: 8 }, (_, index) => sandbox.meta.customer({ name: `Kund ${index + 1}` }));
    for (const person of people) {
      await person.writes('Hej, har ni öppet?', { to: page });
      clock.advance(2_000);
      await sandbox.meta.pageInbox.sends(page, person, 'Ja, till fem.');
      clock.advance(2_000);
    }
    clock.advance(minute);

    const channel = await connect(here, connected);
    await until(
      async () => (await readChannel(here, channel.id)).health.checks.some(({ value }) => value === '8 taken over'),
      'the import',
    );
    await here.settled();

    expect((await readChannel(here, channel.id)).health.checks).toContainEqual({
      name: 'Earlier conversations',
      ok: true,
      value: '8 taken over',
    });
    const conversations = await admin.section('all');
    expect(conversations.map(({ contact }) => contact.name).sort()).toEqual(people.map(({ name }) => name));
    expect(conversations.every(({ unreadCount, replyWindowOpen }) => unreadCount === 0 && replyWindowOpen)).toBe(true);
    const thread = await admin.messages(conversations[0]!.id);
    expect(thread.map(({ direction, text, author }) => [direction, text, author.kind])).toEqual([
      ['inbound', 'Hej, har ni öppet?', 'contact'],
      ['outbound', 'Ja, till fem.', 'external'],
    ]);
    const timeline = await admin.call<{ data: unknown[] }>(
      'GET',
      `/api/conversations/${conversations[0]!.id}/timeline`,
    );
    expect(timeline.body.data ?? []).toEqual([]);
  });

  test('what came while the server was down is there after its start, as if it had been told (I-08, C10)', async () => {
    const here = await world({ database });
    const { sandbox, admin } = here;
    const { page } = await here.messenger();
    const customer = sandbox.meta.customer({ name: 'Johan Mattsson' });
    await customer.writes('Before', { to: page });
    const { id } = await admin.conversationWith('Johan Mattsson');
    await admin.call('PUT', `/api/conversations/${id}/status`, { status: 'closed' });
    sandbox.meta.options.webhookRetries = 0;

    await here.stop();
    await customer.writes('While you were away', { to: page });
    await sandbox.meta.pageInbox.sends(page, customer, 'Typed in the Page inbox');
    await here.start();
    await until(async () => (await admin.messages(id)).length === 3, 'what was missed');
    await here.settled();
    const thread = await admin.messages(id);

    expect(thread.map(({ text, author }) => [text, author.kind])).toEqual([
      ['Before', 'contact'],
      ['While you were away', 'contact'],
      ['Typed in the Page inbox', 'external'],
    ]);
    expect(await admin.conversationWith('Johan Mattsson')).toMatchObject({ status: 'open', unreadCount: 2 });
    expect(await admin.messages(id)).toHaveLength(3);
  });
});

test('an import that is interrupted goes on where it was, and nothing is there twice (C13)', async () => {
  const here = await world();
  const { sandbox, admin, clock } = here;
  const connected = newPage(here);
  for (let index = 0; index < 9; index += 1) {
    await sandbox.meta.customer({ name: `Kund ${index + 1}` }).writes('Hej!', { to: connected.page });
    clock.advance(1_000);
  }
  clock.advance(minute);

  const channel = await connect(here, connected);
  await until(async () => (await admin.section('all')).length >= 6, 'the first page');
  await here.stop();
  await here.start();
  await until(async () => (await admin.section('all')).length === 9, 'the rest');
  await here.settled();

  expect((await readChannel(here, channel.id)).health.checks).toContainEqual({
    name: 'Earlier conversations',
    ok: true,
    value: '9 taken over',
  });
  for (const { id } of await admin.section('all')) expect(await admin.messages(id)).toHaveLength(1);
});

test('a send that nobody confirmed is one message, whoever finds it in the history first (C8, R-01)', async () => {
  const here = await world();
  const { sandbox, admin, clock } = here;
  const { page } = await here.messenger();
  sandbox.meta.options.autoEcho = false;
  sandbox.meta.options.autoDeliver = false;
  const customer = sandbox.meta.customer({ name: 'Johan Mattsson' });
  await customer.writes('Hej', { to: page });
  const { id } = await admin.conversationWith('Johan Mattsson');
  sandbox.faults.next('meta', { method: 'POST', path: /\/messages/ }, { kind: 'do-then-drop' });
  sandbox.faults.next('meta', { path: /\/conversations/ }, { kind: 'answer', status: 502, body: 'bad gateway' }, 3);

  const sent = await admin.sends(id, 'Did it arrive?');
  const outcome = async (): Promise<Message['status']> =>
    (await admin.messages(id)).find((message) => message.id === sent.id)!.status;
  await until(async () => (await outcome()) === 'unknown', 'an unknown outcome');
  for (let look = 0; look < 4 && (await outcome()) === 'unknown'; look += 1) {
    await here.settled();
    clock.advance(31_000);
  }
  await until(async () => (await outcome()) === 'sent', 'the settled outcome');
  await here.settled();

  expect((await admin.messages(id)).filter(({ text }) => text === 'Did it arrive?')).toHaveLength(1);
  expect(customer.inbox).toHaveLength(1);
});

test('a Page that Meta unsubscribed is subscribed again, and what was missed is fetched', async () => {
  const here = await world();
  const { sandbox, admin, clock } = here;
  const { page, channel } = await here.messenger();
  const customer = sandbox.meta.customer({ name: 'Johan Mattsson' });
  await customer.writes('Before', { to: page });
  const { id } = await admin.conversationWith('Johan Mattsson');
  clock.advance(3_000);
  await here.settled();

  page.subscribedFields = null;
  expect((await customer.writes('Nobody is told', { to: page })).delivery).toBeNull();
  clock.advance(16 * minute);
  await until(async () => {
    admin.token = (await signedIn(here.url, sandbox, admin.pipedrive)).token;
    return (await admin.messages(id)).length === 2;
  }, 'the missed message');

  expect(page.subscribedFields).toContain('messages');
  expect((await readChannel(here, channel.id)).health.state).toBe('ok');
  await customer.writes('Told again', { to: page });
  await until(async () => (await admin.messages(id)).length === 3);
});
