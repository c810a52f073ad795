// Once a day, by night where the company is: what the store says of notes is held against the messages it has, and against the
// notes as Pipedrive has them (H4, H9). What was forgotten is made due, what people have changed is left to them, and a note that
// stands twice is reported: nobody but a person may take one away.
import { z } from 'zod';
import { later, timeText } from '../base/clock.ts';
import { sha256 } from '../base/crypto.ts';
import { UpstreamError } from '../base/errors.ts';
import type { Metrics } from '../base/metrics.ts';
import { parseSettings } from '../companies/settings.ts';
import type { Reader, Tx } from '../db/database.ts';
import type { CompanyRow, NoteRow } from '../db/tables.ts';
import { defineTask, type Outcome, type Queue } from '../jobs/queue.ts';
import { notesAddedSince, type NoteContent } from '../pipedrive/notes.ts';
import { checkNote } from './check-note.ts';
import { marksIn } from './compose.ts';
import { writeNote, type HistoryDeps } from './write.ts';

export interface CheckDeps extends HistoryDeps {
  readonly queue: Queue;
  readonly metrics: Metrics;
}

const hourMs = 3_600_000;
/** By night after so long; by day when no night came in between. */
const atNightMs = 20 * hourMs;
const anywayMs = 28 * hourMs;
/** What is older was checked before, or is beyond mending. */
const messagesBackMs = 72 * hourMs;
const notesBackMs = 48 * hourMs;
const linksAtOnce = 200;

/** Looks hourly whose turn it is. */
export const checkHistories = defineTask('check-histories', z.object({}), async (deps: CheckDeps): Promise<Outcome> => {
  const now = timeText(deps.clock);
  const companies = await deps.db.read((reader) =>
    reader.query<CompanyRow>(
      `select * from company c where coalesce(c.history_checked_at, c.created_at) < ?
         and exists (select 1 from link l where l.company_id = c.id and l.removed_at is null)`,
      [later(now, -atNightMs)],
    ),
  );
  const due = companies.filter((company) => isDue(company, now));
  await deps.db.transaction(async (tx) => {
    for (const { id: companyId } of due) await deps.queue.enqueue(tx, checkHistory, { companyId }, { key: companyId });
  });
  return { againInMs: hourMs };
});

function isDue(company: CompanyRow, now: string): boolean {
  if ((company.historyCheckedAt ?? company.createdAt) < later(now, -anywayMs)) return true;
  const { timeZone } = parseSettings(company);
  const hour = new Intl.DateTimeFormat('en-GB', { timeZone, hour: 'numeric', hourCycle: 'h23' }).format(new Date(now));
  return Number(hour) < 5;
}

export const checkHistory = defineTask(
  'check-history',
  z.object({ companyId: z.string() }),
  async (deps: CheckDeps, { companyId }): Promise<Outcome> => {
    const forgotten = await mendForgotten(deps, companyId);
    const stuck = await mendStuck(deps, companyId);
    const compared = await compareNotes(deps, companyId);
    await deps.db.transaction((tx) =>
      tx.query('update company set history_checked_at = ? where id = ?', [timeText(deps.clock), companyId]),
    );
    const found = { forgotten, stuck, ...compared };
    for (const [finding, count] of Object.entries(found)) deps.metrics.historyFindings.inc({ finding }, count);
    // What people change is no fault of anybody.
    const level = found.forgotten + found.stuck + found.doubled > 0 ? 'warn' : 'debug';
    deps.log[level]({ companyId, ...found }, 'the notes were held against the messages');
    return undefined;
  },
);

/** Messages since linking that no row says to belong into the link's notes, nor into another's on the same record. */
async function mendForgotten(deps: CheckDeps, companyId: string): Promise<number> {
  const forgotten = await deps.db.read((reader) =>
    reader.query<{ linkId: string; messageId: string }>(
      `select l.id as link_id, m.id as message_id from message m
       join link l on l.conversation_id = m.conversation_id and l.removed_at is null
         and l.after_message_id < m.id and l.created_at <= m.created_at
       where m.company_id = ? and m.created_at > ? and not exists (
         select 1 from noted_message n join link o on o.id = n.link_id
         where n.message_id = m.id and o.type = l.type and o.record_id = l.record_id)`,
      [companyId, timeText(deps.clock, -messagesBackMs)],
    ),
  );
  if (forgotten.length === 0) return 0;
  await deps.db.transaction(async (tx) => {
    for (const { linkId, messageId } of forgotten) {
      await tx.query(
        `insert into noted_message (link_id, message_id, note_id, confirmed) values (?, ?, '', 0) on conflict do nothing`,
        [linkId, messageId],
      );
    }
    for (const linkId of new Set(forgotten.map((row) => row.linkId))) await haveWritten(deps, tx, linkId);
  });
  return forgotten.length;
}

/** Links in whose notes something is to be written and that no job is going to write. */
async function mendStuck(deps: CheckDeps, companyId: string): Promise<number> {
  let stuck = 0;
  for (let after = ''; ;) {
    const page = await deps.db.read((reader) => readUnfinished(reader, companyId, after));
    const idle = page.filter(({ isDue: due, isAtWork }) => due === 1 && isAtWork === 0);
    if (idle.length > 0) {
      await deps.db.transaction(async (tx) => {
        for (const { id } of idle) await haveWritten(deps, tx, id);
      });
    }
    stuck += idle.length;
    const last = page.at(-1);
    if (!last || page.length < linksAtOnce) return stuck;
    after = last.id;
  }
}

/** A link that is broken or gone by then is passed over. */
async function haveWritten(deps: CheckDeps, tx: Tx, linkId: string): Promise<void> {
  await tx.query('update link set history_complete = 0 where id = ? and history_complete = 1', [linkId]);
  await deps.queue.enqueue(tx, writeNote, { linkId }, { lane: `note:${linkId}`, key: linkId });
}

function readUnfinished(reader: Reader, companyId: string, after: string) {
  return reader.query<{ id: string; isDue: 0 | 1; isAtWork: 0 | 1 }>(
    `select l.id,
       case when l.history_complete = 0
         or exists (select 1 from noted_message n join message m on m.id = substr(n.message_id, 1, 36)
           where n.link_id = l.id and n.confirmed = 0)
         or exists (select 1 from note o where o.link_id = l.id and o.stale <> 0 and o.content_hash is not null)
         then 1 else 0 end as is_due,
       case when exists (select 1 from job j where j.task = '${writeNote.name}' and j.parked_at is null and j.merge_key = l.id)
         then 1 else 0 end as is_at_work
     from link l where l.company_id = ? and l.id > ? and l.state = 'active' and l.removed_at is null
     order by l.id limit ${linksAtOnce}`,
    [companyId, after],
  );
}

interface Compared {
  /** Notes that are not as we left them: each is looked at by itself, and is a person's from then on (H3). */
  readonly changed: number;
  /** Notes of ours that Pipedrive has more than once. */
  readonly doubled: number;
}

/** One list of all notes of the last days costs what a single record's does, however many there are. */
async function compareNotes(deps: CheckDeps, companyId: string): Promise<Compared> {
  const nothing = { changed: 0, doubled: 0 };
  const ours = await deps.db.read((reader) =>
    reader.query<NoteRow>(
      `select n.* from note n join link l on l.id = n.link_id
       where n.company_id = ? and n.created_at > ? and n.pipedrive_note_id is not null and l.removed_at is null`,
      [companyId, timeText(deps.clock, -notesBackMs)],
    ),
  );
  const [grant] = await deps.grants(companyId, []);
  if (ours.length === 0 || !grant) return nothing;
  let there: readonly NoteContent[];
  try {
    there = await notesAddedSince(deps.pipedriveFor(grant), ours.map(({ createdAt }) => createdAt).sort()[0]!);
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
    // Few tokens, or Pipedrive is down: the next night will do.
    deps.log.debug({ err: error, companyId }, 'the notes could not be compared');
    return nothing;
  }
  const byId = new Map(there.map((note) => [note.noteId, sha256(note.content)]));
  const changed = ours.filter(
    (note) => note.contentHash !== null && byId.get(note.pipedriveNoteId!) !== note.contentHash,
  );
  await deps.db.transaction(async (tx) => {
    for (const { id, linkId } of changed)
      await deps.queue.enqueue(
        tx,
        checkNote,
        { noteId: id, seenHash: null },
        { lane: `note:${linkId}`, key: `${id}:night` },
      );
  });
  const marks = there.flatMap(({ content }) => marksIn(content));
  const doubled = ours.filter(({ mark }) => marks.filter((other) => other === mark).length > 1);
  return { changed: changed.length, doubled: doubled.length };
}
