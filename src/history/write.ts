// Writes the notes of one link: read, compare, write, remember. What goes where is committed before each call, so that a crash
// or a lost answer at any point ends with every message in exactly one note, and never over a human's words (H2 to H5).
import { z } from 'zod';
import { later, timeText, type Clock } from '../base/clock.ts';
import { sha256 } from '../base/crypto.ts';
import { UpstreamError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { Database, Tx } from '../db/database.ts';
import { Note, type LinkRow, type NoteRow } from '../db/tables.ts';
import type { Changes } from '../inbox/changes.ts';
import { breakLink } from '../inbox/link-state.ts';
import { defineTask, type Outcome } from '../jobs/queue.ts';
import type { PipedriveClient } from '../pipedrive/client.ts';
import { createNote, findNote, readNote, updateNote, type FoundNote } from '../pipedrive/notes.ts';
import { readRecord } from '../pipedrive/records.ts';
import type { Grant } from '../pipedrive/tokens.ts';
import { composeNote, fitting, saysTheSame, versionIn, type NoteHeader, type NoteMessage } from './compose.ts';
import type { Turns } from './turns.ts';
import { baseOf, isComplete, loadLink, messagesIn, unwritten, type LoadedLink } from './load.ts';

export interface HistoryDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly changes: Changes;
  readonly publicUrl: string;
  readonly turns: Turns;
  readonly pipedriveFor: (grant: Grant) => PipedriveClient;
  /** Living grants, the preferred users first (H8). */
  readonly grants: (companyId: string, preferred: readonly (string | null)[]) => Promise<Grant[]>;
}

const windowMs = 24 * 3_600_000;
/** What waits for Pipedrive is looked at again at the same moment for all, so that who waits longest comes first. */
const lookEveryMs = 60_000;
/** A call that got no answer may still be carried out: only after this is a creation looked for in vain and repeated. */
const inFlightMs = 20_000;
const retryMs = 2_000;
/** A link with more to write than this many notes at once goes on in its next run. */
const mostRounds = 20;

/** One run of the task on one link. */
interface Run {
  readonly deps: HistoryDeps;
  /** Whose access turned out not to serve in this run, and why. */
  readonly useless: Map<string, 'reconnect' | 'forbidden'>;
  current: Grant | undefined;
}

/** Runs in the link's lane. */
export const writeNote = defineTask(
  'write-note',
  z.object({ linkId: z.string() }),
  async (deps: HistoryDeps, { linkId }): Promise<Outcome> => {
    const outcome = await deps.turns.take(linkId, () => writeAll(deps, linkId));
    return outcome === 'later' ? { againInMs: 1_000 } : outcome;
  },
);

async function writeAll(deps: HistoryDeps, linkId: string): Promise<Outcome> {
  const run: Run = { deps, useless: new Map(), current: undefined };
  for (let round = 0; round < mostRounds; round += 1) {
    const loaded = await deps.db.read((reader) => loadLink(reader, linkId));
    if (!loaded) return undefined;
    try {
      const step = await nextStep(run, loaded);
      if (step === 'done') return undefined;
      if (step !== 'more') return step;
    } catch (error) {
      const outcome = await afterFailure(run, loaded, error);
      if (outcome !== 'more') return outcome;
    }
  }
  return { againInMs: 1_000 };
}

/** Pipedrive's bad days are waited for and never count as our failure; only what it refuses for good does. */
async function afterFailure(run: Run, loaded: LoadedLink, error: unknown): Promise<Outcome | 'more'> {
  if (!(error instanceof UpstreamError)) throw error;
  const { deps, current } = run;
  if (current && (error.kind === 'reconnect' || error.reason === 'forbidden')) {
    // A dead token, or a user who may not: the next one of H8 is asked.
    run.useless.set(current.userId, error.kind === 'reconnect' ? 'reconnect' : 'forbidden');
    run.current = undefined;
    return 'more';
  }
  deps.log.info({ err: error, linkId: loaded.link.id }, 'notes wait');
  if (error.kind === 'stop' || error.kind === 'reconnect') {
    deps.turns.postpone(loaded.link.companyId, loaded.link.id);
    return { againAt: nextLook(deps.clock) };
  }
  if (error.kind === 'retry') return { againInMs: Math.max(error.retryAfterMs ?? 0, retryMs) };
  if (error.kind === 'unknown') return { againInMs: inFlightMs };
  throw error;
}

function nextLook(clock: Clock): string {
  const now = clock.now().getTime();
  return new Date(now - (now % lookEveryMs) + lookEveryMs).toISOString();
}

/** Finishes a note that was begun, or plans the next, or writes one anew in which something changed. */
async function nextStep(run: Run, loaded: LoadedLink): Promise<'more' | 'done' | Outcome> {
  const { deps } = run;
  const { note } = loaded;
  if (note?.state === 'writing') return finishCreation(run, loaded, note);
  if (note && (await hasPlanned(deps, note))) return settleUpdate(run, loaded, note);
  const { messages: waiting, heldUntil } = await deps.db.read((reader) =>
    unwritten(reader, loaded, timeText(deps.clock)),
  );
  if (waiting.length === 0 && loaded.hasNotes) {
    if (loaded.stale) return writeAnew(run, loaded, loaded.stale);
    if (heldUntil !== null) return { againInMs: Math.max(1_000, Date.parse(heldUntil) - deps.clock.now().getTime()) };
    await deps.db.transaction((tx) => completeLink(deps, tx, loaded));
    return 'done';
  }
  if (note && (await takesMore(run, loaded, note, waiting))) return 'more';
  // The first note of a link stands also when nobody has written yet (H1).
  await planNewNote(deps, loaded, waiting);
  return 'more';
}

function hasPlanned(deps: HistoryDeps, note: NoteRow): Promise<boolean> {
  return deps.db.read(async (reader) => {
    const row = await reader.one('select 1 from noted_message where note_id = ? and confirmed = 0 limit 1', [note.id]);
    return row !== undefined;
  });
}

/** Plans what the open note takes of the waiting messages; closes it when its window is over, it is full, or a human touched it. */
async function takesMore(
  run: Run,
  loaded: LoadedLink,
  note: NoteRow,
  waiting: readonly NoteMessage[],
): Promise<boolean> {
  const { deps } = run;
  // By when it was written, not by when we come to note it: a message of the last second is not shut out by our gathering (H2).
  const within = waiting.filter((message) => message.createdAt < note.windowUntil);
  const before = await deps.db.read((reader) => messagesIn(reader, loaded, note.id));
  const count = fitting(headerOf(deps, loaded, note), before, within);
  if (count === 0) {
    await deps.db.transaction((tx) => tx.query(`update note set state = 'closed' where id = ?`, [note.id]));
    return false;
  }
  const client = await clientFor(run, loaded);
  const present = await readNote(client, note.pipedriveNoteId!);
  if (present === 'gone' || sha256(present.content) !== note.contentHash) {
    await moveOn(deps, note);
    return false;
  }
  await deps.db.transaction(async (tx) => {
    await planMessages(tx, loaded.link, note, waiting, count);
    await tx.query('update note set version = ? where id = ?', [note.version + 1, note.id]);
  });
  // Goes on at once, while the look just taken is fresh (P-02).
  await writeUpdate(deps, loaded, { ...note, version: note.version + 1 }, client);
  return true;
}

async function planNewNote(deps: HistoryDeps, loaded: LoadedLink, waiting: readonly NoteMessage[]): Promise<void> {
  const id = newId();
  const now = timeText(deps.clock);
  const note: NoteRow = {
    id,
    companyId: loaded.link.companyId,
    linkId: loaded.link.id,
    pipedriveNoteId: null,
    state: 'writing',
    mark: id.replaceAll('-', ''),
    version: 0,
    contentHash: null,
    authorId: null,
    windowUntil: later(now, windowMs),
    createdAt: now,
    stale: 0,
    attemptedAt: null,
  };
  const count = waiting.length === 0 ? 0 : Math.max(1, fitting(headerOf(deps, loaded, note), [], waiting));
  await deps.db.transaction(async (tx) => {
    await tx.insert(Note, note);
    await planMessages(tx, loaded.link, note, waiting, count);
  });
}

/** Puts the first `count` of these into a note; the rest of a long message that is cut between them becomes due by itself. */
async function planMessages(
  tx: Tx,
  link: LinkRow,
  note: NoteRow,
  waiting: readonly NoteMessage[],
  count: number,
): Promise<void> {
  const begun = new Set(waiting.slice(0, count).map(({ key }) => baseOf(key)));
  for (const [index, message] of waiting.entries()) {
    if (index >= count && !begun.has(baseOf(message.key))) break;
    await tx.query(
      `insert into noted_message (link_id, message_id, note_id, confirmed, shown) values (?, ?, ?, 0, ?)
       on conflict (link_id, message_id) do update set note_id = excluded.note_id, confirmed = 0, shown = excluded.shown`,
      [link.id, message.key, index < count ? note.id : '', message.shown],
    );
  }
}

/** Creates a planned note. One whose creation was asked for before may be there already: it is looked for first (H4). */
async function finishCreation(run: Run, loaded: LoadedLink, note: NoteRow): Promise<'more' | 'done' | Outcome> {
  const { deps } = run;
  const client = await clientFor(run, loaded);
  const record = { type: loaded.link.type, recordId: loaded.link.recordId };
  if (note.attemptedAt !== null) {
    const found = await findNote(client, record, note.mark);
    if (found) {
      await adopt(deps, loaded, note, found);
      return 'more';
    }
    const patience = Date.parse(note.attemptedAt) + inFlightMs - deps.clock.now().getTime();
    if (patience > 0) return { againInMs: patience };
  }
  await deps.db.transaction((tx) =>
    tx.query('update note set author_id = ?, attempted_at = ? where id = ?', [
      run.current!.userId,
      timeText(deps.clock),
      note.id,
    ]),
  );
  const messages = await deps.db.read((reader) => messagesIn(reader, loaded, note.id));
  try {
    const created = await createNote(client, record, composeNote(headerOf(deps, loaded, note), messages));
    await remember(deps, loaded, note, { ...created, state: 'open', createdAt: timeText(deps.clock) });
    return 'more';
  } catch (error) {
    if (!(error instanceof UpstreamError) || error.kind === 'unknown') throw error;
    // Certainly not created: nothing has to be looked for.
    await deps.db.transaction((tx) => tx.query('update note set attempted_at = null where id = ?', [note.id]));
    if (error.kind !== 'refused') throw error;
    return afterRefusal(run, loaded, client, error);
  }
}

/** The record is gone: the link says so, and messages go on without it (L6). Any other refusal is somebody's fault. */
async function afterRefusal(
  run: Run,
  loaded: LoadedLink,
  client: PipedriveClient,
  error: UpstreamError,
): Promise<'more' | 'done'> {
  const record = await readRecord(client, loaded.link.type, loaded.link.recordId);
  if (record.state === 'present') throw error;
  await run.deps.db.transaction((tx) => breakLink(run.deps, tx, loaded.link.id, 'deleted'));
  return 'done';
}

/** A note of ours whose creation or change got no answer. If somebody changed it meanwhile it holds our messages, and is his now. */
async function adopt(deps: HistoryDeps, loaded: LoadedLink, note: NoteRow, found: FoundNote): Promise<void> {
  const messages = await deps.db.read((reader) => messagesIn(reader, loaded, note.id));
  const isOurs = saysTheSame(found.content, composeNote(headerOf(deps, loaded, note), messages));
  const state = note.state === 'closed' || !isOurs ? 'closed' : 'open';
  const createdAt = note.state === 'writing' ? (found.addedAt ?? note.createdAt) : null;
  await remember(deps, loaded, note, { ...found, state, createdAt, touched: !isOurs });
}

/** An update that was begun and has no outcome: reading tells whether it was carried out. */
async function settleUpdate(run: Run, loaded: LoadedLink, note: NoteRow): Promise<'more'> {
  const { deps } = run;
  const client = await clientFor(run, loaded);
  const present = await readNote(client, note.pipedriveNoteId!);
  if (present === 'gone') await moveOn(deps, note);
  else if (sha256(present.content) === note.contentHash) await writeUpdate(deps, loaded, note, client);
  else if (versionIn(present.content, note.mark) === note.version) await adopt(deps, loaded, note, present);
  else await moveOn(deps, note);
  return 'more';
}

/** A message in a note of ours was edited, got a reaction or failed: the note says so, if it is still as we left it. */
async function writeAnew(run: Run, loaded: LoadedLink, note: NoteRow): Promise<'more'> {
  const { deps } = run;
  if (note.stale === 2) return settleUpdate(run, loaded, note);
  const client = await clientFor(run, loaded);
  const present = await readNote(client, note.pipedriveNoteId!);
  if (present === 'gone' || sha256(present.content) !== note.contentHash) {
    await moveOn(deps, note);
    return 'more';
  }
  await deps.db.transaction((tx) =>
    tx.query('update note set version = ?, stale = 2 where id = ?', [note.version + 1, note.id]),
  );
  await writeUpdate(deps, loaded, { ...note, version: note.version + 1 }, client);
  return 'more';
}

async function writeUpdate(
  deps: HistoryDeps,
  loaded: LoadedLink,
  note: NoteRow,
  client: PipedriveClient,
): Promise<void> {
  const messages = await deps.db.read((reader) => messagesIn(reader, loaded, note.id));
  const written = await updateNote(client, note.pipedriveNoteId!, composeNote(headerOf(deps, loaded, note), messages));
  if (written === 'gone') return moveOn(deps, note);
  await remember(deps, loaded, note, { ...written, state: note.state === 'closed' ? 'closed' : 'open' }, messages);
}

/** A human has the note now: what was planned for it and is not in it is due again, for the next one. */
async function moveOn(deps: HistoryDeps, note: NoteRow): Promise<void> {
  await deps.db.transaction(async (tx) => {
    await tx.query(`update noted_message set note_id = '' where note_id = ? and confirmed = 0`, [note.id]);
    await tx.query(`update note set state = 'closed', content_hash = null, stale = 0 where id = ?`, [note.id]);
  });
}

interface Written {
  readonly noteId: string;
  readonly content: string;
  readonly state: 'open' | 'closed';
  /** When it was created: its window begins then (H2). */
  readonly createdAt?: string | null;
  readonly touched?: boolean;
}

async function remember(
  deps: HistoryDeps,
  loaded: LoadedLink,
  note: NoteRow,
  written: Written,
  shown: readonly NoteMessage[] = [],
): Promise<void> {
  await deps.db.transaction(async (tx) => {
    await tx.query(
      `update note set pipedrive_note_id = ?, content_hash = ?, state = ?, window_until = ?, attempted_at = ?,
         stale = case when stale = 2 then 0 else stale end where id = ?`,
      [
        written.noteId,
        written.touched ? null : sha256(written.content),
        written.state,
        written.createdAt ? later(written.createdAt, windowMs) : note.windowUntil,
        timeText(deps.clock),
        note.id,
      ],
    );
    const confirmed = await tx.query<{ messageId: string }>(
      'update noted_message set confirmed = 1 where note_id = ? and confirmed = 0 returning message_id',
      [note.id],
    );
    for (const { key, shown: look } of shown) {
      await tx.query(`update noted_message set shown = ? where note_id = ? and message_id = ? and shown <> ?`, [
        look,
        note.id,
        key,
        look,
      ]);
    }
    if (confirmed.length === 0) return;
    await deps.changes.record(tx, {
      kind: 'notes.written',
      companyId: loaded.link.companyId,
      conversationId: loaded.link.conversationId,
      messageIds: [...new Set(confirmed.map(({ messageId }) => baseOf(messageId)))],
    });
  });
}

/** Everything that belongs into this link's notes stands in one (H9). */
async function completeLink(deps: HistoryDeps, tx: Tx, loaded: LoadedLink): Promise<void> {
  // The link is held first: a message that is stored in this moment is either seen here, or takes the word back after us.
  // By a lock alone, on SQLite by being the one writer: a row that is written twice in one transaction has its reference to
  // the conversation checked again, and whoever links at this moment holds that and waits for us.
  if (tx.kind === 'postgres') await tx.query('select 1 from link where id = ? for no key update', [loaded.link.id]);
  // What arrived since we looked has its own job in this lane.
  if (!(await isComplete(tx, loaded.link.id))) return;
  const link = await tx.one<LinkRow>(
    'update link set history_complete = 1 where id = ? and history_complete = 0 returning *',
    [loaded.link.id],
  );
  if (!link) return;
  const conversation = { id: link.conversationId, companyId: link.companyId };
  await deps.changes.record(tx, { kind: 'link.changed', conversation, link });
}

/** The access of the first user of H8 that serves; the same one for a whole run. */
async function clientFor(run: Run, loaded: LoadedLink): Promise<PipedriveClient> {
  const { deps, useless } = run;
  const preferred = [loaded.conversation.assigneeId, loaded.link.createdBy, loaded.channel.ownerId];
  const grants = await deps.grants(loaded.link.companyId, preferred);
  const grant = grants.find(({ userId }) => !useless.has(userId));
  run.current = grant;
  if (grant) return deps.pipedriveFor(grant);
  if ([...useless.values()].includes('forbidden')) {
    // Nobody of the company who has the app may write there.
    await deps.db.transaction((tx) => breakLink(deps, tx, loaded.link.id, 'forbidden'));
  }
  throw new UpstreamError('pipedrive', 'reconnect', { reason: 'no_grant' });
}

function headerOf(deps: HistoryDeps, loaded: LoadedLink, note: NoteRow): NoteHeader {
  return {
    language: loaded.settings.language,
    timeZone: loaded.settings.timeZone,
    channelName: loaded.channel.name,
    providerName: loaded.channel.provider === 'whatsapp' ? 'WhatsApp' : 'Messenger',
    contactName: loaded.contact.name,
    assigneeName: loaded.assigneeName,
    conversationUrl: `${deps.publicUrl}/conversations/${loaded.conversation.id}`,
    mark: note.mark,
    version: note.version,
  };
}
