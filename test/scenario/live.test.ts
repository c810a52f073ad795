// Live: every open window follows without reload, and misses nothing after sleep or a restart (V11, S-01, S-02).
import { describe, expect, test } from 'vitest';
import { bothDatabases } from '../support/databases.ts';
import { openEvents } from '../support/events.ts';
import { until } from '../support/wait.ts';
import { newNumber, world } from '../support/world.ts';

describe.each(bothDatabases)('on %s', (database) => {
  test('a message, an assignment and a closing reach every open window, numbered and in order (V11)', async () => {
    const here = await world({ database });
    const { number } = await here.whatsapp();
    const stream = openEvents(here.url, here.rep.token);
    await until(
      async () =>
        here.app.metrics.registry.getSingleMetricAsString('inbox_streams_open').then((text) => / 1$/m.test(text)),
      'an open stream',
    );

    await here.sandbox.twilio.customer(newNumber(), { name: 'Maria Öberg' }).writes('Hej hej', { to: number });
    const conversation = await here.rep.conversationWith('Maria Öberg');
    await here.admin.call('PUT', `/api/conversations/${conversation.id}/assignee`, { userId: here.rep.id });
    await here.admin.call('PUT', `/api/conversations/${conversation.id}/status`, { status: 'closed' });
    const closed = await until(
      () =>
        stream.events.find(
          ({ name, data }) =>
            name === 'conversation.changed' && (data.conversation as { status: string }).status === 'closed',
        ),
      'the closing',
    );

    expect(closed.data.conversation).toMatchObject({
      section: 'closed',
      assignee: { name: 'Sara Holm' },
      unreadCount: 1,
    });
    expect(
      stream.events.some(
        ({ name, data }) => name === 'message.changed' && (data.message as { text: string }).text === 'Hej hej',
      ),
    ).toBe(true);
    const numbers = stream.events.map((event) => event.number).filter((value) => value !== null);
    expect(numbers).toEqual([...numbers].sort((left, right) => left - right));
    stream.close();
  });

  test('a client that slept resumes from its number and catches up; one that is too far behind is told to reload', async () => {
    const here = await world({ database });
    const { number } = await here.whatsapp();
    const customer = here.sandbox.twilio.customer(newNumber(), { name: 'Maria Öberg' });
    await customer.writes('first', { to: number });
    const conversation = await here.rep.conversationWith('Maria Öberg');
    const { changeNumber } = (await here.rep.call<{ changeNumber: number }>('GET', '/api/me')).body;
    for (let index = 0; index < 30; index += 1) await customer.writes(`while asleep ${index}`, { to: number });
    await here.settled();

    const woken = openEvents(here.url, here.rep.token, changeNumber);
    const last = await until(
      () =>
        woken.events.find(
          ({ name, data }) =>
            name === 'conversation.changed' && (data.conversation as { unreadCount: number }).unreadCount === 31,
        ),
      'what was missed',
    );
    const texts = woken.events
      .filter(({ name }) => name === 'message.changed')
      .map(({ data }) => (data.message as { text: string }).text);
    expect(texts).toEqual(Array.from({ length: 30 }, (_, index) => `while asleep ${index}`));
    expect(woken.events.filter(({ name }) => name !== 'notification').at(-1)).toBe(last);
    woken.close();

    for (const after of ['-1', '1e20', 'abc', '999999']) {
      const lost = openEvents(here.url, here.rep.token, after);
      await until(() => lost.events[0]?.name === 'resync', `resync for ${after}`);
      lost.close();
    }
    await here.app.db.transaction((tx) => tx.query('delete from change where number < ?', [changeNumber + 5]));
    const old = openEvents(here.url, here.rep.token, changeNumber);
    await until(() => old.events[0]?.name === 'resync', 'resync for what is no longer kept');
    old.close();
    expect(conversation.id).toBeTruthy();
  });
});

test('reading in one window clears it in all of that user’s, and in nobody else’s (V8)', async () => {
  const here = await world();
  const { number } = await here.whatsapp();
  const customer = here.sandbox.twilio.customer(newNumber(), { name: 'Ewa Kowalczyk' });
  for (const text of ['one', 'two', 'three']) await customer.writes(text, { to: number });
  const conversation = await until(async () =>
    (await here.rep.section('all')).find(({ unreadCount }) => unreadCount === 3),
  );
  const messages = await here.rep.messages(conversation.id);
  const second = openEvents(here.url, here.rep.token, 0);

  await here.rep.call('PUT', `/api/conversations/${conversation.id}/read`, { through: messages[1]!.id });
  await until(
    () =>
      second.events.some(
        ({ name, data }) =>
          name === 'conversation.changed' && (data.conversation as { unreadCount: number }).unreadCount === 1,
      ),
    'the other window',
  );
  await here.rep.call('PUT', `/api/conversations/${conversation.id}/read`, { through: messages[0]!.id });

  expect((await here.rep.section('all'))[0]!.unreadCount).toBe(1);
  expect((await here.admin.section('all'))[0]!.unreadCount).toBe(3);
  expect((await here.rep.counts()).unassigned).toEqual({ total: 1, unread: 1 });
  second.close();
});

test('a stream ends when the right to it ends (S-02)', async () => {
  const here = await world();
  const answer = await fetch(`${here.url}/api/events`, { headers: { authorization: `Bearer ${here.rep.token}` } });
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  await here.sandbox.pipedrive.uninstall(here.rep.pipedrive);

  const ended = await until(
    async () => {
      const { done } = await reader.read();
      return done;
    },
    'the end of the stream',
    25_000,
  );
  expect(ended).toBe(true);
}, 40_000);

test('who looks and who types is told to the others, and to them only (V9)', async () => {
  const here = await world();
  const { number } = await here.whatsapp();
  await here.sandbox.twilio.customer(newNumber(), { name: 'Ewa Kowalczyk' }).writes('hej', { to: number });
  const conversation = await here.rep.conversationWith('Ewa Kowalczyk');
  const streams = [here.rep, here.admin].map((user) => openEvents(here.url, user.token));
  await until(
    async () =>
      here.app.metrics.registry.getSingleMetricAsString('inbox_streams_open').then((text) => / 2$/m.test(text)),
    'open streams',
  );

  await here.rep.call('PUT', `/api/conversations/${conversation.id}/presence`, { typing: true });
  const presence = await until(() => streams[1]!.events.find(({ name }) => name === 'presence'), 'the presence');

  expect(presence.data).toEqual({
    conversationId: conversation.id,
    users: [{ id: here.rep.id, name: 'Sara Holm', typing: true }],
  });
  expect(
    streams[0]!.events.filter(({ name }) => name === 'presence').every(({ data }) => (data.users as []).length === 0),
  ).toBe(true);
  streams.forEach((stream) => stream.close());
});
