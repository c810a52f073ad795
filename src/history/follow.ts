// What happens to a conversation to which notes must be written. Decides and enqueues; `write.ts` does it.
import type { Tx } from '../db/database.ts';
import type { MessageRow } from '../db/tables.ts';
import type { Follower } from '../inbox/changes.ts';
import type { Queue } from '../jobs/queue.ts';
import { fingerprint, isSettled } from './load.ts';
import { writeNote } from './write.ts';

export interface FollowDeps {
  readonly queue: Queue;
  /** A burst is gathered for so long, and never longer than the second (H7). */
  readonly debounceMs: number;
  readonly maxWaitMs: number;
}

export function createHistoryFollower(deps: FollowDeps): Follower {
  const enqueue = (tx: Tx, linkId: string, delayMs: number): Promise<void> =>
    deps.queue.enqueue(
      tx,
      writeNote,
      { linkId },
      { lane: `note:${linkId}`, key: linkId, delayMs, maxWaitMs: deps.maxWaitMs },
    );
  return async (tx, happening) => {
    switch (happening.kind) {
      case 'link.added':
        return enqueue(tx, happening.link.id, 0);
      case 'link.changed':
        // It was mended, or moved on to another record: what was left lying meanwhile is written.
        if (happening.link.state === 'active' && happening.act) await enqueue(tx, happening.link.id, 0);
        return;
      case 'message.received':
        // What was there before the channel was connected is no news for a record (C13).
        if (happening.origin === 'imported') return;
        for (const id of await makeDue(tx, happening.message)) await enqueue(tx, id, deps.debounceMs);
        return;
      case 'message.queued':
        await makeDue(tx, happening.message);
        return;
      case 'message.changed':
        if (!isSettled(happening.message)) return;
        for (const id of await touchedBy(tx, happening.message)) await enqueue(tx, id, deps.debounceMs);
        return;
      case 'message.removed':
        for (const id of await withdraw(tx, happening.messageId)) await enqueue(tx, id, deps.debounceMs);
        return;
      default:
        return;
    }
  };
}

/** Says that the message belongs into the notes of each link of its conversation; answers those that can be written to. */
async function makeDue(tx: Tx, message: MessageRow): Promise<string[]> {
  const links = await tx.query<{ id: string; state: string }>(
    'update link set history_complete = 0 where conversation_id = ? and removed_at is null returning id, state',
    [message.conversationId],
  );
  for (const { id } of links) {
    await tx.query(
      `insert into noted_message (link_id, message_id, note_id, confirmed) values (?, ?, '', 0) on conflict do nothing`,
      [id, message.id],
    );
  }
  return links.flatMap(({ id, state }) => (state === 'active' ? [id] : []));
}

/** Links in whose notes this message is still to be written, or looks different now. */
async function touchedBy(tx: Tx, message: MessageRow): Promise<string[]> {
  const rows = await tx.query<{ linkId: string; noteId: string; shown: string | null }>(
    `select n.link_id, n.note_id, n.shown from noted_message n join link l on l.id = n.link_id
     where n.message_id = ? and l.removed_at is null and l.state = 'active'`,
    [message.id],
  );
  if (rows.length === 0) return [];
  const now = fingerprint(message);
  const touched = rows.filter(({ noteId, shown }) => noteId === '' || (shown !== null && shown !== now));
  for (const { noteId } of touched) await markStale(tx, noteId);
  return touched.map(({ linkId }) => linkId);
}

/** A message that is no more: the notes that tell of it are written without it. */
async function withdraw(tx: Tx, messageId: string): Promise<string[]> {
  const rows = await tx.query<{ linkId: string; noteId: string }>(
    'delete from noted_message where message_id = ? returning link_id, note_id',
    [messageId],
  );
  for (const { noteId } of rows) await markStale(tx, noteId);
  return rows.map(({ linkId }) => linkId);
}

async function markStale(tx: Tx, noteId: string): Promise<void> {
  if (noteId === '') return;
  await tx.query('update note set stale = 1 where id = ? and (content_hash is not null or pipedrive_note_id is null)', [
    noteId,
  ]);
}
