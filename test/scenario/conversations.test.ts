// What users do to conversations: assign, close, delete; and what the contact's next message does (V1 to V10).
import { describe, expect, test } from 'vitest';
import type { Conversation, TimelineEntry } from '../../src/web/contract.ts';
import { bothDatabases, type DatabaseKind } from '../support/databases.ts';
import { until } from '../support/wait.ts';
import { newNumber, world } from '../support/world.ts';

async function talking(database: DatabaseKind = 'sqlite') {
  const here = await world({ database });
  const { number, channel } = await here.whatsapp();
  const customer = here.sandbox.twilio.customer(newNumber(), { name: 'Linnea Holmqvist' });
  await customer.writes('Hej!', { to: number });
  const conversation = await here.rep.conversationWith('Linnea Holmqvist');
  return { ...here, here, number, channel, customer, conversation };
}

describe.each(bothDatabases)('on %s', (database) => {
  test('assigning moves it between sections, and a later one sees who was faster (V1, V4)', async () => {
    const { rep, admin, conversation } = await talking(database);
    const path = `/api/conversations/${conversation.id}/assignee`;

    expect((await rep.call<Conversation>('PUT', path, { userId: rep.id, expected: null })).body).toMatchObject({
      section: 'mine',
    });
    const late = await admin.call<{ error: { code: string; details: object } }>('PUT', path, {
      userId: admin.id,
      expected: null,
    });

    expect(late.status).toBe(409);
    expect(late.body.error).toMatchObject({ code: 'assignee_changed', details: { assignee: { name: 'Sara Holm' } } });
    expect((await admin.section('others')).map(({ id }) => id)).toEqual([conversation.id]);
    expect((await admin.call<Conversation>('PUT', path, { userId: null })).body).toMatchObject({
      section: 'unassigned',
      assignee: null,
    });
  });

  test('nobody can be given a conversation while he is away, not even by himself (V3)', async () => {
    const { rep, admin, conversation } = await talking(database);
    await rep.call('PUT', '/api/me/availability', { available: false });
    for (const user of [rep, admin]) {
      const answer = await user.call<{ error: { code: string } }>(
        'PUT',
        `/api/conversations/${conversation.id}/assignee`,
        { userId: rep.id },
      );
      expect([answer.status, answer.body.error.code]).toEqual([409, 'assignee_unavailable']);
    }
    expect((await rep.call('PUT', `/api/users/${admin.id}/availability`, { available: false })).status).toBe(403);
    expect((await admin.call('PUT', `/api/users/${rep.id}/availability`, { available: true })).status).toBe(200);
  });

  test('closing keeps the assignee, and a message opens it again where it was; the timeline tells (V5, V6, V10)', async () => {
    const { rep, number, customer, conversation, settled } = await talking(database);
    await rep.call('PUT', `/api/conversations/${conversation.id}/assignee`, { userId: rep.id });
    await rep.call('PUT', `/api/conversations/${conversation.id}/status`, { status: 'closed' });
    expect((await rep.section('closed'))[0]).toMatchObject({ assignee: { id: rep.id } });

    await customer.writes('One more thing', { to: number });
    await until(async () => (await rep.section('mine')).length === 1, 'the opening');
    await settled();

    const timeline = await rep.call<{ data: TimelineEntry[] }>('GET', `/api/conversations/${conversation.id}/timeline`);
    expect(timeline.body.data.map(({ kind }) => kind)).toEqual(['reopened', 'closed', 'assigned', 'started']);
    expect(timeline.body.data[2]).toMatchObject({
      by: { kind: 'user', name: 'Sara Holm' },
      details: { assigneeName: 'Sara Holm' },
    });
  });

  test('where the company wants it, a conversation that opens again while its assignee is away is anybody’s (V6)', async () => {
    const { rep, admin, number, customer, conversation, settled } = await talking(database);
    await admin.call('PATCH', '/api/settings', { returnToUnassignedWhenAway: true });
    await rep.call('PUT', `/api/conversations/${conversation.id}/assignee`, { userId: rep.id });
    await rep.call('PUT', '/api/me/availability', { available: false });
    await customer.writes('while it is open', { to: number });
    await settled();
    expect((await rep.section('mine')).map(({ id }) => id)).toEqual([conversation.id]);
    await rep.call('PUT', `/api/conversations/${conversation.id}/status`, { status: 'closed' });

    await customer.writes('after it was closed', { to: number });
    await until(async () => (await rep.section('unassigned')).length === 1, 'the opening');
    await settled();

    const timeline = await rep.call<{ data: TimelineEntry[] }>('GET', `/api/conversations/${conversation.id}/timeline`);
    expect(timeline.body.data.slice(0, 2).map(({ kind, by }) => [kind, by.kind])).toEqual([
      ['unassigned', 'app'],
      ['reopened', 'app'],
    ]);
  });

  test('deleting erases for good; a replayed webhook brings nothing back, a new message only itself (V7)', async () => {
    const { here, admin, rep, number, customer, conversation, sandbox, app } = await talking(database);
    await customer.writes('second', { to: number });
    await until(async () => (await rep.messages(conversation.id)).length === 2);
    const size = await admin.call('GET', `/api/conversations/${conversation.id}/size`);
    expect(size.body).toEqual({ messages: 2, attachments: 0, links: 0 });

    expect((await rep.call('DELETE', `/api/conversations/${conversation.id}`)).status).toBe(403);
    expect((await admin.call('DELETE', `/api/conversations/${conversation.id}`)).status).toBe(204);
    expect(await rep.section('all')).toEqual([]);
    const replayed = sandbox.twilio.webhooks.find(({ params }) => params.Body === 'second')!;
    await sandbox.twilio.deliver(replayed.params);
    await here.settled();
    expect(await rep.section('all')).toEqual([]);
    await customer.writes('afresh', { to: number });
    await until(async () => (await rep.section('unassigned')).length === 1, 'the conversation again');

    expect((await rep.messages(conversation.id)).map(({ text }) => text)).toEqual(['afresh']);
    const left = await app.db.read((reader) =>
      reader.query('select 1 from message where text in (?, ?)', ['Hej!', 'second']),
    );
    expect(left).toEqual([]);
  });

  test('a page of the list ends where the next begins, however the order (V1)', async () => {
    const { here, rep, number, clock } = await talking(database);
    for (let index = 0; index < 12; index += 1) {
      await here.sandbox.twilio.customer(newNumber(), { name: `Customer ${index}` }).writes('hello', { to: number });
      await here.app.worker.idle();
      clock.advance(60_000);
    }
    for (const sort of ['newest', 'closing']) {
      const ids: string[] = [];
      let cursor: string | null = '';
      while (cursor !== null) {
        const page: { body: { data: Conversation[]; nextCursor: string | null } } = await rep.call(
          'GET',
          `/api/conversations?limit=5&sort=${sort}${cursor ? `&cursor=${cursor}` : ''}`,
        );
        ids.push(...page.body.data.map(({ id }) => id));
        cursor = page.body.nextCursor;
      }
      expect.soft(ids.length, sort).toBe(13);
      expect.soft(new Set(ids).size, sort).toBe(13);
    }
    const found = await rep.call<{ data: Conversation[] }>('GET', '/api/conversations?q=customer%2011');
    expect(found.body.data.map(({ contact }) => contact.name)).toEqual(['Customer 11']);
  });
});
