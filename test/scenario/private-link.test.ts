// Somebody follows a link to a conversation in a colleague's private channel: he reads whom to ask for it, and nothing else
// (A8, N5); who has no right to know even that reads what he always read.
import { describe, expect, test } from 'vitest';
import type { AdminNotice, ErrorBody, PrivateChannel } from '../../src/web/contract.ts';
import { bothDatabases } from '../support/databases.ts';
import { openEvents } from '../support/events.ts';
import { until } from '../support/wait.ts';
import { newNumber, world, type TestUser, type World } from '../support/world.ts';

const unknownId = '00000000-0000-7000-8000-000000000000';

async function withPrivateConversation(here: World) {
  const { channel, number } = await here.whatsapp(here.admin, 'private');
  const customer = here.sandbox.twilio.customer(newNumber(), { name: 'Hannah Secret' });
  await customer.writes('canary words', { to: number });
  const { id } = await here.admin.conversationWith('Hannah Secret');
  return { channel, id, number };
}

/** The answer in full, so that two of them can be compared. */
async function look(user: TestUser, id: string): Promise<{ status: number; body: ErrorBody }> {
  const { status, body } = await user.call<ErrorBody>('GET', `/api/conversations/${id}`);
  return { status, body };
}

describe.each(bothDatabases)('on %s', (database) => {
  test('a colleague is told whose channel it is; another company, and whoever asks for what is not there, is told nothing (A8)', async () => {
    const here = await world({ database });
    const { channel, id, number } = await withPrivateConversation(here);
    const elsewhere = here.sandbox.pipedrive.addCompany({ name: 'Elsewhere' });
    const stranger = await here.install(
      here.sandbox.pipedrive.addUser(elsewhere, { name: 'Olle Strand', admin: true }),
    );

    const told = await look(here.rep, id);

    expect(told.status).toBe(404);
    expect(told.body.error).toEqual({
      code: 'not_found',
      message: 'Det finns inte längre, eller så får du inte se det.',
      details: { private: { channelId: channel.id, owner: { id: here.admin.id, name: 'Erik Lund' } } },
    });
    for (const secret of ['Hannah', 'canary', 'WhatsApp', channel.name, number.slice(1)])
      expect(JSON.stringify(told.body)).not.toContain(secret);
    expect(await look(stranger, id)).toEqual(await look(stranger, unknownId));
    expect((await look(stranger, id)).body.error).not.toHaveProperty('details');
    expect((await look(here.rep, unknownId)).body.error).not.toHaveProperty('details');
    // What is on it, and what can be done to it, says no more than it ever did.
    for (const [method, path, body] of [
      ['GET', '/messages'],
      ['GET', '/timeline'],
      ['GET', '/size'],
      ['GET', '/suggestions'],
      ['PUT', '/status', { status: 'closed' }],
      ['PUT', '/presence', { typing: true }],
      ['POST', '/messages', { clientMessageId: 'c', text: 'hello' }],
      ['DELETE', ''],
    ] as const) {
      const answer = await here.rep.call<ErrorBody>(method, `/api/conversations/${id}${path}`, body);
      expect.soft([answer.status, Object.keys(answer.body.error)], path).toEqual([404, ['code', 'message']]);
    }
    expect((await here.admin.call('DELETE', `/api/conversations/${id}`)).status).toBe(204);
    expect(await look(here.rep, id)).toEqual(await look(here.rep, unknownId));
    expect((await look(here.admin, id)).body.error).not.toHaveProperty('details');
    await here.settled();
  });

  test('whom he was told of he can ask; shared, it is his to read, and taken back, it is as before (N5)', async () => {
    const here = await world({ database });
    const { channel, id } = await withPrivateConversation(here);
    const { private: told } = (await look(here.rep, id)).body.error.details as { private: PrivateChannel };
    const stream = openEvents(here.url, here.rep.token);
    const change = (visibility: string) => here.admin.call('PATCH', `/api/channels/${channel.id}`, { visibility });
    const wishes = async () =>
      (await here.admin.call<{ data: AdminNotice[] }>('GET', '/api/me/admin-notices')).body.data.map(
        ({ kind }) => kind,
      );
    const changes = () => stream.events.filter(({ name }) => name === 'channel.changed');

    const asked = await here.rep.call('POST', `/api/channels/${told.channelId}/ask-owner`, {
      what: 'share',
    });

    expect(asked.body).toMatchObject({ notified: true, owner: { id: here.admin.id, name: 'Erik Lund' } });
    expect(await wishes()).toEqual(['asked_to_share']);
    await change('shared');
    await until(() => changes().at(-1)?.data.channel, 'the channel to be told of');
    expect(await look(here.rep, id)).toMatchObject({ status: 200, body: { id, contact: { name: 'Hannah Secret' } } });
    expect(await wishes()).toEqual([]);
    await change('private');
    await until(() => changes().at(-1)?.data.channel === null, 'the channel to be gone');
    expect(await look(here.rep, id)).toMatchObject({
      status: 404,
      body: { error: { details: { private: { channelId: channel.id } } } },
    });
    stream.close();
    await here.settled();
  });
});
