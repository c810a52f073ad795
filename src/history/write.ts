// Writes the notes of one link: read, compare, write, remember. What goes where is committed before each call, so that a crash
// or a lost answer at any point ends with every message in exactly one note, and never over a human's words (H2 to H5).
import { z } from 'zod';
import { later, timeText, type Clock } from '../base/clock.ts';
import { sha256 } from '../base/crypto.ts';
import { UpstreamError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { Database, Tx } from '../db/database.ts';
import { Note, NotedMessage, type LinkRow, type NoteRow } from '../db/tables.ts';
import type { Changes } from '../inbox/changes.ts';
import { defineTask, type Outcome } from '../jobs/queue.ts';
import type { PipedriveClient } from '../pipedrive/client.ts';
import { createNote, findNote, readNote, updateNote } from '../pipedrive/notes.ts';
import { readRecord } from '../pipedrive/records.ts';
import type { Grant } from '../pipedrive/tokens.ts';
import { composeNote, fitting, saysTheSame, versionIn, type NoteHeader, type NoteMessage } from './compose.ts';
import { loadLink, messagesIn, unwritten, type LoadedLink } from './load.ts';

export interface HistoryDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly changes: Changes;
  readonly publicUrl: string;
  readonly pipedriveFor: (grant: Grant) => PipedriveClient;
  /** Living grants, the preferred users first (H8). */
  readonly grants: (companyId: string, preferred: readonly (string | null)[]) => Promise<Grant[]>;
}

const windowMs = 24 * 3_600_000;
/** No grant, or no budget: looked at again after this. */
const waitMs = 600_000;
/** A link with more to write than this many notes at once goes on in its next run. */
const mostRounds = 20;

/** Runs in the link's lane. */
export const writeNote = defineTask(
  'write-note',
  z.object({ linkId: z.string() }),
  async (deps: HistoryDeps, { linkId }) => {
    for (let round = 0; round < mostRounds; round += 1) {
      const loaded = await deps.db.read((reader) => loadLink(reader, linkId));
      if (!loaded) return undefined;
      try {
        const done = await writeSome(deps, loaded);
        if (done) return undefined;
      } catch (error) {
        return waitOrFail(deps, loaded, error);
      }
    }
    return { againInMs: 1_000 };
  },
);

async function waitOrFail(deps: HistoryDeps, loaded: LoadedLink, error: unknown): Promise<Outcome> {
  if (!(error instanceof UpstreamError)) throw error;
  if (error.kind === 'stop' || error.kind === 'reconnect') {
    deps.log.info({ err: error, linkId: loaded.link.id }, 'notes wait');
    return { againInMs: Math.min(error.retryAfterMs ?? waitMs, waitMs) };
  }
  throw error;
}

/** One step: finishes a note that was begun, or plans the next. Answers whether nothing is left. */
async function writeSome(deps: HistoryDeps, loaded: LoadedLink): Promise<boolean> {
  const { note } = loaded;
  if (note && (await hasPlanned(deps, note))) {
    await (note.pipedriveNoteId === null ? finishCreation(deps, loaded, note) : finishUpdate(deps, loaded, note));
    return false;
  }
  const waiting = await deps.db.read((reader) => unwritten(reader, loaded, timeText(deps.clock)));
  if (waiting.length === 0) {
    // A note without any message stands too: the conversation was linked before anybody wrote (H1).
    if (note?.state === 'writing') {
      await finishCreation(deps, loaded, note);
      return false;
    }
    await deps.db.transaction((tx) => completeLink(deps, tx, loaded));
    return true;
  }
  if (note && note.state === 'open' && (await takesMore(deps, loaded, note, waiting))) return false;
  await planNewNote(deps, loaded, waiting);
  return false;
}

function hasPlanned(deps: HistoryDeps, note: NoteRow): Promise<boolean> {
  return deps.db.read(async (reader) => {
    const row = await reader.one('select 1 from noted_message where note_id = ? and confirmed = 0 limit 1', [note.id]);
    return row !== undefined;
  });
}

/** Plans what the open note takes of the waiting messages; closes it when its window is over, it is full, or a human touched it. */
async function takesMore(
  deps: HistoryDeps,
  loaded: LoadedLink,
  note: NoteRow,
  waiting: readonly NoteMessage[],
): Promise<boolean> {
  const now = timeText(deps.clock);
  const within = waiting.filter((message) => message.createdAt < note.windowUntil || now < note.windowUntil);
  const before = await deps.db.read((reader) => messagesIn(reader, loaded, note.id));
  const count = now >= note.windowUntil ? 0 : fitting(headerOf(deps, loaded, note), before, within);
  if (count === 0) {
    await closeNote(deps, note);
    return false;
  }
  const { client } = await clientFor(deps, loaded);
  const present = await readNote(client, note.pipedriveNoteId!);
  if (present === 'gone' || sha256(present.content) !== note.contentHash) {
    await closeNote(deps, note);
    return false;
  }
  await plan(deps, loaded, note, waiting.slice(0, count));
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
  };
  const count = Math.max(1, fitting(headerOf(deps, loaded, note), [], waiting));
  await deps.db.transaction(async (tx) => {
    await tx.insert(Note, note);
    await insertPlanned(tx, loaded.link, note, waiting.slice(0, count));
  });
}

async function plan(
  deps: HistoryDeps,
  loaded: LoadedLink,
  note: NoteRow,
  messages: readonly NoteMessage[],
): Promise<void> {
  await deps.db.transaction(async (tx) => {
    await insertPlanned(tx, loaded.link, note, messages);
    await tx.query('update note set version = ? where id = ?', [note.version + 1, note.id]);
  });
}

function insertPlanned(tx: Tx, link: LinkRow, note: NoteRow, messages: readonly NoteMessage[]): Promise<void> {
  return tx.insert(
    NotedMessage,
    messages.map((message) => ({ linkId: link.id, messageId: message.key, noteId: note.id, confirmed: 0 as const })),
  );
}

/** Creates a planned note. One that was begun before may be there already: it is looked for first (H4). */
async function finishCreation(deps: HistoryDeps, loaded: LoadedLink, note: NoteRow): Promise<void> {
  const { client, grant } = await clientFor(deps, loaded);
  const record = { type: loaded.link.type, recordId: loaded.link.recordId };
  if (note.authorId !== null) {
    const found = await findNote(client, record, note.mark);
    if (found) return adopt(deps, loaded, note, found);
  }
  await deps.db.transaction((tx) => tx.query('update note set author_id = ? where id = ?', [grant.userId, note.id]));
  const messages = await deps.db.read((reader) => messagesIn(reader, loaded, note.id));
  try {
    const created = await createNote(client, record, composeNote(headerOf(deps, loaded, note), messages));
    await remember(deps, loaded, note, { noteId: created.noteId, contentHash: sha256(created.content), state: 'open' });
  } catch (error) {
    if (error instanceof UpstreamError && error.kind === 'refused') await breakIfGone(deps, loaded, client, error);
    else throw error;
  }
}

/** A note of ours whose creation got no answer. If somebody changed it meanwhile it holds our messages all the same, and is his now. */
async function adopt(
  deps: HistoryDeps,
  loaded: LoadedLink,
  note: NoteRow,
  found: { noteId: string; content: string },
): Promise<void> {
  const messages = await deps.db.read((reader) => messagesIn(reader, loaded, note.id));
  const isOurs = saysTheSame(found.content, composeNote(headerOf(deps, loaded, note), messages));
  await remember(deps, loaded, note, {
    noteId: found.noteId,
    contentHash: isOurs ? sha256(found.content) : null,
    state: isOurs ? 'open' : 'closed',
  });
}

/** An update that was planned and has no outcome: reading tells whether it was carried out. */
async function finishUpdate(deps: HistoryDeps, loaded: LoadedLink, note: NoteRow): Promise<void> {
  const { client } = await clientFor(deps, loaded);
  const present = await readNote(client, note.pipedriveNoteId!);
  if (present === 'gone') return moveOn(deps, note);
  if (sha256(present.content) === note.contentHash) return writeUpdate(deps, loaded, note, client);
  if (versionIn(present.content, note.mark) !== note.version) return moveOn(deps, note);
  return adopt(deps, loaded, note, { noteId: note.pipedriveNoteId!, content: present.content });
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
  await remember(deps, loaded, note, { noteId: written.noteId, contentHash: sha256(written.content), state: 'open' });
}

/** A human has the note now: what was planned for it and is not in it goes into the next one. */
async function moveOn(deps: HistoryDeps, note: NoteRow): Promise<void> {
  await deps.db.transaction(async (tx) => {
    await tx.query('delete from noted_message where note_id = ? and confirmed = 0', [note.id]);
    await tx.query(`update note set state = 'closed' where id = ?`, [note.id]);
  });
}

async function closeNote(deps: HistoryDeps, note: NoteRow): Promise<void> {
  await deps.db.transaction((tx) => tx.query(`update note set state = 'closed' where id = ?`, [note.id]));
}

async function remember(
  deps: HistoryDeps,
  loaded: LoadedLink,
  note: NoteRow,
  outcome: { noteId: string; contentHash: string | null; state: 'open' | 'closed' },
): Promise<void> {
  await deps.db.transaction(async (tx) => {
    await tx.query('update note set pipedrive_note_id = ?, content_hash = ?, state = ? where id = ?', [
      outcome.noteId,
      outcome.contentHash,
      outcome.state,
      note.id,
    ]);
    const confirmed = await tx.query<{ messageId: string }>(
      'update noted_message set confirmed = 1 where note_id = ? and confirmed = 0 returning message_id',
      [note.id],
    );
    const messageIds = [...new Set(confirmed.map(({ messageId }) => messageId.split('#')[0]!))];
    await deps.changes.record(tx, {
      kind: 'notes.written',
      companyId: loaded.link.companyId,
      conversationId: loaded.link.conversationId,
      messageIds,
    });
  });
}

/** Everything that belongs into this link's notes stands in one (H9). */
async function completeLink(deps: HistoryDeps, tx: Tx, loaded: LoadedLink): Promise<void> {
  // What arrived since we looked has its own job in this lane.
  const left = await unwritten(tx, loaded, timeText(deps.clock), 'all');
  if (left.length > 0) return;
  const link = await tx.one<LinkRow>(
    'update link set history_complete = 1 where id = ? and history_complete = 0 returning *',
    [loaded.link.id],
  );
  if (!link) return;
  const conversation = { id: link.conversationId, companyId: link.companyId };
  await deps.changes.record(tx, { kind: 'link.changed', conversation, link });
}

/** The record is gone: the link says so, and messages go on without it (L6). Any other refusal is tried again, then parked. */
async function breakIfGone(
  deps: HistoryDeps,
  loaded: LoadedLink,
  client: PipedriveClient,
  error: UpstreamError,
): Promise<void> {
  const record = await readRecord(client, loaded.link.type, loaded.link.recordId);
  if (record.state === 'present') throw error;
  await deps.db.transaction(async (tx) => {
    const link = await tx.one<LinkRow>(
      `update link set state = 'broken' where id = ? and state = 'active' returning *`,
      [loaded.link.id],
    );
    if (!link) return;
    const conversation = { id: link.conversationId, companyId: link.companyId };
    await deps.changes.record(tx, { kind: 'link.changed', conversation, link });
  });
}

async function clientFor(deps: HistoryDeps, loaded: LoadedLink): Promise<{ client: PipedriveClient; grant: Grant }> {
  const preferred = [loaded.conversation.assigneeId, loaded.link.createdBy, loaded.channel.ownerId];
  const [grant] = await deps.grants(loaded.link.companyId, preferred);
  if (!grant) throw new UpstreamError('pipedrive', 'reconnect', { reason: 'no_grant' });
  return { client: deps.pipedriveFor(grant), grant };
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
