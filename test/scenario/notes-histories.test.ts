// Histories nobody thought of: whatever happens in whatever order, each message after linking stands in exactly one note of its
// link, in order, and no human's words are changed (H2 to H5, H9, P-01 to P-03). A history that fails is run again by its number:
// SEED=… in the environment; HISTORIES=… runs so many of them.
import { randomInt } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Conversation, Message } from '../../src/web/contract.ts';
import type { Fault } from '../../sandbox/faults.ts';
import type { Note } from '../../sandbox/pipedrive/state.ts';
import { bothDatabases } from '../support/databases.ts';
import { noted } from '../support/notes.ts';
import { killAfter } from '../support/killing.ts';
import { until } from '../support/wait.ts';
import { newNumber, signedIn, world, type World } from '../support/world.ts';

const steps = 40;
const minute = 60_000;

const faults: readonly Fault[] = [
  { kind: 'do-then-drop' },
  { kind: 'do-then-answer', status: 502, body: '<html>' },
  { kind: 'do-then-answer', status: 200, body: '<html>' },
  { kind: 'drop' },
  { kind: 'answer', status: 500, body: '' },
  { kind: 'answer', status: 503, body: '<html><body>Checking your browser</body></html>' },
  { kind: 'answer', status: 429, headers: { 'retry-after': '3' }, body: '' },
  { kind: 'answer', status: 429, headers: { 'retry-after': 'abc' }, body: '<html>' },
  { kind: 'answer', status: 200, body: { success: false } },
  { kind: 'delay', ms: 20 },
];

/** The same numbers for the same seed (mulberry32). */
function randomBy(seed: number) {
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const upTo = (most: number): number => Math.floor(next() * (most + 1));
  const oneOf = <T>(among: readonly T[]): T => among[upTo(among.length - 1)]!;
  return { upTo, oneOf };
}

const textsIn = (content: string): string[] => content.match(/\bm\d+x\b/g) ?? [];
const markIn = (content: string): string | undefined => /note=([0-9a-f]{32})\./.exec(content)?.[1];

/** What a person made of a note, and whether we had yet to learn what became of our own last call. */
interface Touched {
  readonly note: Note;
  readonly content: string;
  readonly mark: string;
  readonly unsettled: boolean;
}

describe.each(bothDatabases)('on %s', (database) => {
  const seeds = Array.from({ length: Number(process.env.HISTORIES ?? 1) }, () =>
    Number(process.env.SEED ?? randomInt(1_000_000)),
  );

  test.each(seeds)('history %i', { timeout: 120_000 }, async (seed) => {
    const random = randomBy(seed);
    const here = await world({ database });
    const { sandbox, clock, admin, rep, company } = here;
    const { pipedrive } = sandbox;
    const { number } = await here.whatsapp();
    here.expectInLog(
      /job will be tried again/,
      /cannot (take|settle|give|renew)/,
      /batch failed/,
      /a (response|webhook) (failed|could)/,
    );
    const told: string[] = [`seed ${seed}`];
    const touched: Touched[] = [];
    const talks = await Promise.all(
      ['Anna', 'Bo'].map(async (name) => {
        const customer = sandbox.twilio.customer(newNumber(), { name });
        await customer.writes('Hello', { to: number });
        const { id } = await admin.conversationWith(name);
        const person = pipedrive.addPerson(company, { name });
        const records = [
          { type: 'person', recordId: String(person.id) },
          { type: 'deal', recordId: String(pipedrive.addDeal(company, { title: name, person }).id) },
        ];
        return { id, records, writes: (text: string) => customer.writes(text, { to: number }) };
      }),
    );
    const read = async (id: string) => (await admin.call<Conversation>('GET', `/api/conversations/${id}`)).body;
    let said = 0;
    const words = (): string => `m${(said += 1)}x`;

    /** Nothing of notes is due for a while: what a person does now does not fall between our look and our write (P-02). */
    const quiet = async (): Promise<void> => {
      for (;;) {
        await noted(here);
        const next = await here.app.db.read((reader) =>
          reader.one<{ at: string | null }>(
            `select min(run_at) as at from job where task in ('write-note', 'check-note') and parked_at is null`,
          ),
        );
        if (!next?.at || Date.parse(next.at) > clock.ms() + 1_500) return;
      }
    };
    const isWhole = async (): Promise<boolean> =>
      (await Promise.all(talks.map(({ id }) => read(id)))).every(
        ({ links, historyComplete }) => historyComplete || links.length === 0,
      );
    const ours = (): Note[] =>
      pipedrive.state.notes.filter(
        (note) => note.active_flag && markIn(note.content) && !touched.some((known) => known.note === note),
      );
    const byHand = async (act: (note: Note) => string): Promise<void> => {
      await quiet();
      const unsettled = !(await isWhole());
      const among = ours();
      if (among.length === 0) return;
      const note = random.oneOf(among);
      const mark = markIn(note.content)!;
      touched.push({ note, mark, unsettled, content: act(note) });
    };

    const acts: Record<string, () => Promise<unknown>> = {
      in: async () => {
        const talk = random.oneOf(talks);
        for (let count = random.upTo(3); count >= 0; count -= 1) await talk.writes(words());
      },
      out: async () => {
        const body = { clientMessageId: `c${said}`, text: words() };
        await admin.call('POST', `/api/conversations/${random.oneOf(talks).id}/messages`, body);
      },
      link: async () => {
        const { id, records } = random.oneOf(talks);
        return admin.call('POST', `/api/conversations/${id}/links`, random.oneOf(records));
      },
      unlink: async () => {
        const { links, id } = await read(random.oneOf(talks).id);
        if (links.length > 0 && random.upTo(2) === 0)
          await admin.call('DELETE', `/api/conversations/${id}/links/${random.oneOf(links).id}`);
      },
      'note edited': () =>
        byHand((note) => {
          const content = `${note.content}<br />She wants the black one (${said})`;
          pipedrive.editNote(note, content, rep.pipedrive);
          return content;
        }),
      'note replaced': () =>
        byHand((note) => {
          pipedrive.editNote(note, `<b>Sara:</b> done (${said})`, rep.pipedrive);
          return note.content;
        }),
      'note deleted': () =>
        byHand((note) => {
          pipedrive.deleteNote(note, rep.pipedrive);
          return note.content;
        }),
      'note pinned': async () => {
        const among = ours();
        if (among.length > 0) pipedrive.pinNote(random.oneOf(among), rep.pipedrive);
      },
      fault: async () => {
        const method = random.oneOf(['POST', 'PUT', 'GET', 'PUT']);
        const fault = random.oneOf(faults);
        told.push(`  ${method} ${JSON.stringify(fault)}`);
        sandbox.faults.next('pipedrive', { method, path: /\/notes/ }, fault, 1 + random.upTo(1));
        await random.oneOf(talks).writes(words());
      },
      'time passes': async () => {
        // A reply whose fate is open is not waited for for ever: what comes after it then stands before it.
        await until(async () => {
          await noted(here);
          const lists = await Promise.all(talks.map(({ id }) => admin.messages(id)));
          return lists.flat().every(({ status }) => !['queued', 'unknown'].includes(status));
        }, 'the fate of each reply');
        clock.advance(random.oneOf([1, 30, 5 * 60, 15 * 60]) * minute);
        admin.token = (await signedIn(here.url, sandbox, admin.pipedrive)).token;
      },
      killed: async () => {
        for (const { writes } of talks) await writes(words());
        await killAfter(here, random.upTo(14));
      },
      settled: () => noted(here),
    };
    const usual = ['in', 'in', 'in', 'out', 'out', 'link', 'link', 'settled', 'fault', 'fault', 'time passes'];
    const rare = ['unlink', 'note edited', 'note replaced', 'note deleted', 'note pinned', 'killed', 'killed'];

    for (const talk of talks) await admin.links(talk.id, talk.records[0]!);
    for (let step = 0; step < steps; step += 1) {
      const act = random.oneOf([...usual, ...rare]);
      told.push(act);
      await acts[act]!();
    }
    sandbox.faults.clear();
    await until(
      async () => {
        clock.advance(5_000);
        await here.settled();
        return isWhole();
      },
      `a whole history (${told.join(', ')})`,
      30_000,
    );
    await noted(here);

    const history = told.join(', ');
    for (const { note, content } of touched) expect(note.content, history).toBe(content);
    const notes = await here.app.db.read((reader) =>
      reader.query<{ mark: string; linkId: string }>('select mark, link_id from note order by created_at, id'),
    );
    // One that a person deleted before we knew that it was there is written again, and rightly so.
    const unknown = touched.filter(({ unsettled }) => unsettled).map(({ mark }) => mark);
    expect(
      doubles(pipedrive.state.notes).filter((mark) => !unknown.includes(mark)),
      history,
    ).toEqual([]);
    const written = writtenTexts(here);
    for (const { id } of talks) {
      const messages = await admin.messages(id);
      const order = messages.map(({ text }) => text);
      for (const link of (await read(id)).links) {
        const marks = notes.filter(({ linkId }) => linkId === link.id).map(({ mark }) => mark);
        for (const { text, inNote } of expected(messages, link.createdAt)) {
          const holders = marks.filter((mark) => written.get(mark)?.ever.has(text));
          const lasting = holders.filter((mark) => !unknown.includes(mark));
          expect([holders.length > 0, lasting.length <= 1, inNote], `${text}; ${history}`).toEqual([true, true, true]);
        }
        const places = marks.flatMap((mark) => (written.get(mark)?.last ?? []).map((text) => order.indexOf(text)));
        const sure = places.filter((_, index) => places.indexOf(places[index]!) === index);
        expect(sure, history).toEqual([...sure].sort((left, right) => left - right));
      }
    }
  });
});

/** Said after linking. */
function expected(messages: readonly Message[], linkedAt: string): Message[] {
  return messages.filter(({ createdAt, text }) => createdAt > linkedAt && text.startsWith('m'));
}

/** What our calls have put into each note: ever, and at last. */
function writtenTexts({ sandbox }: World): Map<string, { ever: Set<string>; last: string[] }> {
  const written = new Map<string, { ever: Set<string>; last: string[] }>();
  for (const { method, path, body, status } of sandbox.pipedrive.calls) {
    if (!/\/notes/.test(path) || !['POST', 'PUT'].includes(method) || status !== 200) continue;
    const { content } = body as { content: string };
    const mark = markIn(content)!;
    const last = textsIn(content);
    const known = written.get(mark)?.ever ?? new Set();
    written.set(mark, { ever: new Set([...known, ...last]), last });
  }
  return written;
}

/** Marks that more than one note bears. */
function doubles(notes: readonly Note[]): string[] {
  const marks = notes.flatMap(({ content }) => markIn(content) ?? []);
  return marks.filter((mark, index) => marks.indexOf(mark) !== index);
}
