// Search over names and messages, without an age limit, alike on both databases (V1, A-13 to A-16, G-01).
import { describe, expect, test } from 'vitest';
import type { Viewer } from '../../src/companies/access.ts';
import { pageOfPlaces } from '../../src/inbox/places.ts';
import type { Conversation } from '../../src/web/contract.ts';
import { bothDatabases } from '../support/databases.ts';
import { until } from '../support/wait.ts';
import { newNumber, world, type TestUser, type World } from '../support/world.ts';

interface Page {
  readonly data: Conversation[];
  readonly nextCursor: string | null;
}

const search = async (user: TestUser, q: string, more = ''): Promise<string[]> => {
  const answer = await user.call<Page>('GET', `/api/conversations?q=${encodeURIComponent(q)}${more}`);
  expect(answer.status, q).toBe(200);
  return answer.body.data.map(({ contact }) => contact.name).sort();
};

describe.each(bothDatabases)('on %s', (database) => {
  test('names and messages are found by parts of words, whatever the capitals and however accents are encoded (V1)', async () => {
    const here = await world({ database });
    const { rep, sandbox } = here;
    // Two reports on the one reply at the same instant: the later looks again.
    here.expectInLog(/^job will be tried again$/);
    const { number, channel } = await here.whatsapp();
    const said: [string, string][] = [
      ['Maria Öberg', 'Vad kostar solpaneler på taket?'],
      ['Åke Ångström', 'HEJ! Offert tack'],
      ['Jean-Luc Ek', 'ring 070-123 45 67 eller mejla luc@example.com'],
      ['Anna 🦊', '100 % säker på det 👍'],
      ['Bo', 'Bara en smörgås'],
    ];
    for (const [name, text] of said) await sandbox.twilio.customer(newNumber(), { name }).writes(text, { to: number });
    const ake = await rep.conversationWith('Åke Ångström');
    await rep.sends(ake.id, 'Vi skickar offerten i morgon');
    await here.settled();

    for (const [q, names] of [
      ['öberg', ['Maria Öberg']],
      ['ÖBERG', ['Maria Öberg']],
      ['O\u0308berg', ['Maria Öberg']],
      ['berg', ['Maria Öberg']],
      ['panel', ['Maria Öberg']],
      ['ångström', ['Åke Ångström']],
      ['angstrom', []],
      ['offert', ['Åke Ångström']],
      ['skickar morgon', ['Åke Ångström']],
      ['offert panel', []],
      ['070-123', ['Jean-Luc Ek']],
      ['luc@example', ['Jean-Luc Ek']],
      ['ek', ['Jean-Luc Ek']],
      ['ke', []],
      ['bo', ['Bo']],
      ['b', ['Bo']],
      ['👍', ['Anna 🦊']],
      ['%', ['Anna 🦊']],
      ['100 %', ['Anna 🦊']],
      ['smorgas', []],
      ['smörgås', ['Bo']],
      ['maria taket', []],
    ] as const) {
      expect.soft(await search(rep, q), q).toEqual(names);
    }
    expect(await search(rep, 'öberg', `&channelId=${channel.id}&section=unassigned`)).toEqual(['Maria Öberg']);
    expect(await search(rep, 'öberg', '&section=closed')).toEqual([]);
  });

  test('what was stored before there was an index is found too, once the server has started with it (V1)', async () => {
    const here = await world({ database });
    const { number } = await here.whatsapp();
    for (const [name, text] of [
      ['Maria Öberg', 'Vad kostar solpaneler?'],
      ['Bo', 'En smörgås'],
    ] as const)
      await here.sandbox.twilio.customer(newNumber(), { name }).writes(text, { to: number });
    await here.settled();
    await here.app.db.transaction(async (tx) => {
      await tx.query('delete from search_index where rowid in (select number from search_entry)');
      await tx.query('delete from search_entry');
    });
    expect(await search(here.rep, 'panel')).toEqual([]);

    await here.stop();
    await here.start();
    await here.settled();

    expect(await search(here.rep, 'panel')).toEqual(['Maria Öberg']);
    expect(await search(here.rep, 'bo')).toEqual(['Bo']);
  });

  test('signs that mean something to a database are only signs (A-13 to A-16)', async () => {
    const here = await world({ database });
    const { number } = await here.whatsapp();
    const hostile = [
      '50%_off',
      'a"b',
      "O'Neill",
      'body:x',
      'NEAR(a b)',
      'back\\slash',
      'x* ^y -z',
      ':tsquery & !no <-> |',
    ];
    for (const [index, text] of hostile.entries())
      await here.sandbox.twilio.customer(newNumber(), { name: `Guest ${index}` }).writes(text, { to: number });
    await here.settled();

    for (const [index, text] of hostile.entries())
      expect.soft(await search(here.rep, text), text).toEqual([`Guest ${index}`]);
    for (const q of [
      '%%%',
      '___',
      '\\'.repeat(400),
      '"""',
      'NEAR((',
      'a OR',
      "' UNION SELECT 1 --",
      'w '.repeat(250),
      '&&&',
    ])
      expect.soft(await search(here.rep, q), q).toEqual([]);
    expect((await here.rep.call('GET', `/api/conversations?q=${'x'.repeat(501)}`)).status).toBe(422);
  });

  test('a renamed contact is found by the new name alone; what was deleted is not found, nor kept in the index (V7, G-01)', async () => {
    const here = await world({ database });
    const { number } = await here.whatsapp();
    const phone = newNumber();
    await here.sandbox.twilio.customer(phone, { name: 'Fru Ekström' }).writes('första', { to: number });
    const conversation = await here.rep.conversationWith('Fru Ekström');
    await here.sandbox.twilio.customer(phone, { name: 'Doktor Lindqvist' }).writes('andra', { to: number });
    await here.rep.conversationWith('Doktor Lindqvist');

    expect(await search(here.rep, 'ekström')).toEqual([]);
    expect(await search(here.rep, 'lindqvist')).toEqual(['Doktor Lindqvist']);
    const rowsLeft = () =>
      here.app.db.read(async (reader) => [
        ...(await reader.query('select 1 from search_entry')),
        ...(await reader.query('select rowid from search_index')),
      ]);
    expect(await rowsLeft()).toHaveLength(6);
    await here.admin.call('DELETE', `/api/conversations/${conversation.id}`);
    expect(await search(here.admin, 'första')).toEqual([]);
    expect(await rowsLeft()).toEqual([]);

    await here.sandbox.twilio.customer(phone, { name: 'Doktor Lindqvist' }).writes('tredje', { to: number });
    await until(async () => (await search(here.rep, 'tredje')).length === 1, 'what came after');
    expect(await search(here.rep, 'lindqvist')).toEqual(['Doktor Lindqvist']);
    expect(await search(here.rep, 'andra')).toEqual([]);
  });

  test('every match stands on one page and in order, of common and of rare words (V1)', async () => {
    const here = await world({ database });
    const { number } = await here.whatsapp();
    for (let index = 0; index < 9; index += 1) {
      const text = index % 3 === 0 ? 'common rare' : 'common';
      await here.sandbox.twilio.customer(newNumber(), { name: `Customer ${index}` }).writes(text, { to: number });
      await here.app.worker.idle();
      here.clock.advance(60_000);
    }
    for (const [q, sort, expected] of [
      ['common', 'newest', [8, 7, 6, 5, 4, 3, 2, 1, 0]],
      ['rare', 'newest', [6, 3, 0]],
      ['common', 'closing', [0, 1, 2, 3, 4, 5, 6, 7, 8]],
      ['rare', 'closing', [0, 3, 6]],
    ] as const) {
      const names: string[] = [];
      let cursor: string | null = '';
      while (cursor !== null) {
        const page: { body: Page } = await here.rep.call(
          'GET',
          `/api/conversations?q=${q}&limit=2&sort=${sort}${cursor ? `&cursor=${cursor}` : ''}`,
        );
        names.push(...page.body.data.map(({ contact }) => contact.name));
        cursor = page.body.nextCursor;
      }
      expect.soft(names, `${q} ${sort}`).toEqual(expected.map((index) => `Customer ${index}`));
      // However many there are, whichever way is gone, the same is found.
      const [all, ...others] = await Promise.all(
        [usually, { fewCandidates: 1, readAlongAtMost: 1_000 }, { fewCandidates: 1, readAlongAtMost: 0 }].map((reach) =>
          here.app.db.read(async (reader) => {
            const filter = { section: 'all', sort, q, limit: 4 } as const;
            const now = here.clock.now().toISOString();
            const first = await pageOfPlaces(reader, viewerOf(here), filter, now, reach);
            const rest = { ...filter, limit: 100, cursor: first.nextCursor ?? undefined };
            const second =
              first.nextCursor === null ? [] : (await pageOfPlaces(reader, viewerOf(here), rest, now, reach)).ids;
            return [...first.ids, ...second];
          }),
        ),
      );
      expect.soft(all).toHaveLength(expected.length);
      for (const other of others) expect.soft(other, `${q} ${sort}`).toEqual(all);
    }
  });
});

const usually = { fewCandidates: 1_000, readAlongAtMost: 1_000 };

const viewerOf = (here: World): Viewer => ({
  companyId: String(here.company.id),
  userId: here.rep.id,
  name: here.rep.name,
  language: 'en',
  timeZone: 'UTC',
  isAdmin: false,
  sessionId: 'none',
  kind: 'extension',
});
