// Linking without a click, where the company wants it: once, to the right one, never against a rep (L3, L4, A8).
import { describe, expect, test } from 'vitest';
import type { Conversation, Settings, TimelineEntry } from '../../src/web/contract.ts';
import { bothDatabases, type DatabaseKind } from '../support/databases.ts';
import { counts, noted, wordsOf } from '../support/notes.ts';
import { until } from '../support/wait.ts';
import { newNumber, world, type World } from '../support/world.ts';

const day = 24 * 3_600_000;
const minute = 60_000;

async function begun(database: DatabaseKind, settings: Partial<Settings>, visibility: 'shared' | 'private' = 'shared') {
  const here = await world({ database });
  const { number, channel } = await here.whatsapp(here.admin, visibility);
  const answer = await here.admin.call('PATCH', '/api/settings', settings);
  expect(answer.status).toBe(200);
  const writes = (phone: string, name: string, text: string) =>
    here.sandbox.twilio.customer(phone, { name }).writes(text, { to: number });
  return { here, channel, writes, ...here, pipedrive: here.sandbox.pipedrive };
}

const linksWith = async ({ admin }: World, name: string) =>
  (await admin.conversationWith(name)).links.map(({ type, title }) => ({ type, title }));

const asked = ({ sandbox }: World) => sandbox.pipedrive.calls.filter(({ path }) => path.includes('/search')).length;

describe.each(bothDatabases)('on %s', (database) => {
  test('nothing by itself unless the company says so; then who is the only one with the number is linked, once, and noted', async () => {
    const { here, admin, company, pipedrive, writes } = await begun(database, {});
    const phone = newNumber();
    const anna = pipedrive.addPerson(company, { name: 'Anna Ek', phone: phone.replace(/^\+46/, '0') });
    await writes(phone, 'Anna', 'before');
    await noted(here);
    expect([await linksWith(here, 'Anna'), asked(here)]).toEqual([[], 0]);

    await admin.call('PATCH', '/api/settings', { autoLinkExactMatch: true });
    await Promise.all(['one', 'two', 'three'].map((text) => writes(phone, 'Anna', text)));
    await noted(here);

    const { id, links } = await admin.conversationWith('Anna');
    expect(links).toMatchObject([{ type: 'person', title: 'Anna Ek', recordId: String(anna.id) }]);
    const notes = pipedrive.notesOf('person', anna.id).map(({ content }) => ({ words: wordsOf(content) }));
    expect([notes.length, ...counts(notes, ['before', 'one', 'two', 'three'])]).toEqual([1, 1, 1, 1, 1]);
    const timeline = await admin.call<{ data: TimelineEntry[] }>('GET', `/api/conversations/${id}/timeline?limit=100`);
    const told = timeline.body.data.filter(({ kind }) => kind === 'linked');
    expect(told).toMatchObject([{ by: { kind: 'app' }, details: { title: 'Anna Ek' } }]);

    // A rep knows better: what he unlinks stays unlinked, also another day.
    await admin.call('DELETE', `/api/conversations/${id}/links/${links[0]!.id}`);
    const before = asked(here);
    here.clock.advance(day / 4);
    await writes(phone, 'Anna', 'again');
    await noted(here);
    expect([await linksWith(here, 'Anna'), asked(here)]).toEqual([[], before]);
  });

  test('two with the number, or one whose number only reaches the same phone, are left to people, and looked at again another day', async () => {
    const { here, company, pipedrive, writes, clock } = await begun(database, {
      autoLinkExactMatch: true,
      autoCreateLead: true,
    });
    const [shared, brazil] = [newNumber(), '+5511987650001'];
    const first = pipedrive.addPerson(company, { name: 'Bo', phone: shared });
    const second = pipedrive.addPerson(company, { name: 'Bo at work', phone: shared });
    pipedrive.addPerson(company, { name: 'Caio', phone: '+551187650001' });
    await writes(shared, 'Bo', 'one');
    await writes(brazil, 'Caio', 'one');
    await noted(here);
    expect([await linksWith(here, 'Bo'), await linksWith(here, 'Caio')]).toEqual([[], []]);
    expect([pipedrive.state.persons.length, pipedrive.state.leads.length]).toEqual([3, 0]);

    const before = asked(here);
    await writes(shared, 'Bo', 'two');
    await noted(here);
    expect(asked(here)).toBe(before);
    pipedrive.mergePersons(second, first);
    clock.advance(day + minute);
    await writes(shared, 'Bo', 'three');
    await noted(here);
    here.admin.token = (await here.install(here.admin.pipedrive)).token;
    expect(await linksWith(here, 'Bo')).toEqual([{ type: 'person', title: 'Bo' }]);
  });

  test.each([
    { kind: 'do-then-drop' },
    { kind: 'do-then-answer', status: 502, body: '<html>' },
    { kind: 'drop' },
  ] as const)(
    'who is unknown gets one person and one lead, also when the answers are lost ($kind), and a rep who is quick gets the same person (L4)',
    async (fault) => {
      const { here, admin, pipedrive, sandbox, clock, writes } = await begun(database, { autoCreateLead: true });
      for (const path of [/\/persons$/, /\/leads$/]) {
        sandbox.faults.next('pipedrive', { method: 'POST', path }, fault);
      }
      const phone = newNumber();
      await Promise.all(['one', 'two'].map((text) => writes(phone, 'Dag Frisk', text)));
      const { id } = await admin.conversationWith('Dag Frisk');
      // While the app is at it.
      await until(
        () =>
          pipedrive.calls.some(({ path, method }) => method === 'POST' && /persons$/.test(path)) ||
          fault.kind === 'drop',
      );
      const request = { type: 'person', create: { name: 'Dag Frisk' }, idempotencyKey: 'quick' };
      if (fault.kind !== 'drop') await admin.call('POST', `/api/conversations/${id}/links`, request);
      await until(async () => {
        clock.advance(5_000);
        await here.settled();
        return (await linksWith(here, 'Dag Frisk')).length === 2;
      }, 'both links');
      await noted(here);

      expect(await linksWith(here, 'Dag Frisk')).toEqual([
        { type: 'person', title: 'Dag Frisk' },
        { type: 'lead', title: 'Dag Frisk – WhatsApp' },
      ]);
      expect(pipedrive.state.persons).toMatchObject([
        { name: 'Dag Frisk', phones: [{ value: phone, label: 'WhatsApp' }] },
      ]);
      expect(pipedrive.state.leads).toMatchObject([{ person_id: pipedrive.state.persons[0]!.id }]);
      const { historyComplete } = (await admin.call<Conversation>('GET', `/api/conversations/${id}`)).body;
      expect(historyComplete).toBe(true);
    },
  );

  test('a private channel, a rep at work and a company without the app are left alone; without tokens it waits, messages do not', async () => {
    const { here, admin, rep, company, pipedrive, clock, channel, writes } = await begun(
      database,
      { autoLinkExactMatch: true, autoCreateLead: true },
      'private',
    );
    const [quiet, late] = [newNumber(), newNumber()];
    await writes(quiet, 'Eva', 'only for Erik');
    await noted(here);
    expect([await linksWith(here, 'Eva'), asked(here), pipedrive.state.persons.length]).toEqual([[], 0, 0]);

    await admin.call('PATCH', `/api/channels/${channel.id}`, { visibility: 'shared' });
    const finn = pipedrive.addPerson(company, { name: 'Finn', phone: late });
    company.spentTokens = company.dailyTokens;
    await writes(late, 'Finn', 'waits for tokens');
    await noted(here);
    const calls = pipedrive.calls.length;
    clock.advance(20 * minute);
    await noted(here);
    expect([await linksWith(here, 'Finn'), pipedrive.calls.length]).toEqual([[], calls]);
    company.spentTokens = 0;
    clock.advance(60 * minute);
    await noted(here);
    expect(await linksWith(here, 'Finn')).toEqual([{ type: 'person', title: 'Finn' }]);
    expect(pipedrive.notesOf('person', finn.id)).toHaveLength(1);

    // Somebody has begun to link it by hand: his choice.
    const eva = await admin.conversationWith('Eva');
    const deal = pipedrive.addDeal(company, { title: 'Roof' });
    await admin.links(eva.id, { type: 'deal', recordId: String(deal.id) });
    await writes(quiet, 'Eva', 'now for all');
    await noted(here);
    expect(await linksWith(here, 'Eva')).toEqual([{ type: 'deal', title: 'Roof' }]);

    here.expectInLog(/needs re-install/);
    for (const user of [admin, rep]) pipedrive.revokeTokens(user.pipedrive);
    await writes(newNumber(), 'Gun', 'is anybody there');
    await noted(here);
    expect(await linksWith(here, 'Gun')).toEqual([]);
    const parked = await here.app.db.read((reader) => reader.query('select task from job where parked_at is not null'));
    expect(parked).toEqual([]);
  });
});
