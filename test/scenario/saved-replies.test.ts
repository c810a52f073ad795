// Saved replies (V12), and asking a channel's owner (N5).
import { describe, expect, test } from 'vitest';
import type { SavedReply } from '../../src/web/contract.ts';
import { bothDatabases } from '../support/databases.ts';
import { openEvents } from '../support/events.ts';
import { until } from '../support/wait.ts';
import { world, type TestUser } from '../support/world.ts';

const path = '/api/saved-replies';
const names = async (user: TestUser) =>
  (await user.call<{ data: SavedReply[] }>('GET', path)).body.data.map(({ name, scope }) => `${scope} ${name}`);

describe.each(bothDatabases)('on %s', (database) => {
  test('admins write the company’s replies, everybody uses them, and his own are each user’s alone (V12)', async () => {
    const { admin, rep, app } = await world({ database });
    const text = 'Hej {contact}! Mvh {user}';

    const shared = await admin.call<SavedReply>('POST', path, { name: 'Hälsning', text, scope: 'company' });
    const own = await rep.call<SavedReply>('POST', path, { name: 'Tack', text: 'Tack!', scope: 'personal' });

    expect(shared.body).toMatchObject({ name: 'Hälsning', text, scope: 'company' });
    expect(await names(rep)).toEqual(['company Hälsning', 'personal Tack']);
    expect(await names(admin)).toEqual(['company Hälsning']);
    const mine = { name: 'x', text: 'x', scope: 'company' };
    expect((await rep.call('POST', path, mine)).status).toBe(403);
    expect((await rep.call('PUT', `${path}/${shared.body.id}`, mine)).status).toBe(403);
    expect((await rep.call('PUT', `${path}/${own.body.id}`, mine)).status).toBe(403);
    expect((await rep.call('DELETE', `${path}/${shared.body.id}`)).status).toBe(403);
    for (const method of ['PUT', 'DELETE'])
      expect((await admin.call(method, `${path}/${own.body.id}`, method === 'PUT' ? mine : undefined)).status).toBe(
        404,
      );

    const changed = { name: 'Tack så mycket', text: 'Tack!', scope: 'personal' };
    expect((await rep.call('PUT', `${path}/${own.body.id}`, changed)).body).toEqual({ id: own.body.id, ...changed });
    expect((await admin.call('DELETE', `${path}/${shared.body.id}`)).status).toBe(204);
    expect(await names(rep)).toEqual(['personal Tack så mycket']);
    const audited = await app.db.read((reader) =>
      reader.query<{ act: string; userId: string }>(
        `select act, user_id from audit_entry where act like 'saved_reply%' order by id`,
      ),
    );
    expect(audited.map(({ act, userId }) => [act, userId])).toEqual([
      ['saved_reply_created', admin.id],
      ['saved_reply_removed', admin.id],
    ]);
  });

  test('a saved reply without a name or a text is refused', async () => {
    const { rep } = await world({ database });
    for (const body of [
      {},
      { name: ' ', text: 'x', scope: 'personal' },
      { name: 'x', text: ' \n', scope: 'personal' },
      { name: 'x', text: 'x'.repeat(4_001), scope: 'personal' },
      { name: 'x', text: 'x', scope: 'everybody' },
    ])
      expect((await rep.call('POST', path, body)).status).toBe(422);
  });

  test('the owner is asked once a day for each reason, and nobody else hears of it (N5)', async () => {
    const here = await world({ database });
    const { channel } = await here.whatsapp(here.admin, 'private');
    const ask = (what: string) =>
      here.rep.call<{ notified: boolean; owner: object }>('POST', `/api/channels/${channel.id}/ask-owner`, { what });
    const streams = [here.admin, here.rep].map((user) => openEvents(here.url, user.token, 0));

    expect((await here.admin.call('POST', `/api/channels/${channel.id}/ask-owner`, { what: 'share' })).status).toBe(
      422,
    );
    const first = await ask('share');
    expect([first.status, first.body]).toMatchObject([
      202,
      { notified: true, owner: { id: here.admin.id, name: 'Erik Lund' } },
    ]);
    expect((await ask('share')).body.notified).toBe(false);
    expect((await ask('reconnect')).body.notified).toBe(true);
    here.clock.advance(86_400_000);
    const again = await here.rep.call('POST', '/api/session', {
      token: here.sandbox.pipedrive.signedToken(here.rep.pipedrive),
    });
    here.rep.token = (again.body as { token: string }).token;
    expect((await ask('share')).body.notified).toBe(true);

    const heard = (index: number) => streams[index]!.events.filter(({ name }) => name === 'notification');
    await until(() => heard(0).length >= 3, 'three notices');
    expect(heard(0).map(({ data }) => data)).toMatchObject([
      {
        trigger: 'ask_share',
        conversationId: null,
        channelId: channel.id,
        title: `Sara Holm asks you to share ${channel.name}`,
      },
      { trigger: 'ask_reconnect' },
      { trigger: 'ask_share' },
    ]);
    expect(heard(1)).toEqual([]);
    streams.forEach((stream) => stream.close());
  });
});
