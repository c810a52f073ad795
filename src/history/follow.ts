// What happens to a conversation to which notes must be written. Decides and enqueues; `write.ts` does it.
import type { Tx } from '../db/database.ts';
import type { MessageRow } from '../db/tables.ts';
import type { Follower, Happening } from '../inbox/changes.ts';
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
  const enqueue = (tx: Tx, linkId: string, delayMs: number, { correlationId }: Happening): Promise<void> =>
    deps.queue.enqueue(
      tx,
      writeNote,
      { linkId },
      { lane: `note:${linkId}`, key: linkId, delayMs, maxWaitMs: deps.maxWaitMs, correlationId },
    );
  const followOther = async (tx: Tx, happening: Happening): Promise<void> => {
    switch (happening.kind) {
      case 'link.added':
        return enqueue(tx, happening.link.id, 0, happening);
      case 'link.changed':
        // It was mended, or moved on to another record: what was left lying meanwhile is written.
        if (happening.link.state === 'active' && happening.act) await enqueue(tx, happening.link.id, 0, happening);
        return;
      case 'message.changed':
        if (!isSettled(happening.message)) return;
        for (const id of await touchedBy(tx, happening.message)) await enqueue(tx, id, deps.debounceMs, happening);
        return;
      case 'message.removed':
        for (const id of await withdraw(tx, happening.messageId)) await enqueue(tx, id, deps.debounceMs, happening);
        return;
      default:
        return;
    }
  };
  return async (tx, happenings) => {
    let fresh: NewMessage[] = [];
    const makeDue = async (): Promise<void> => {
      const links = await makeAllDue(tx, fresh);
      fresh = [];
      for (const [id, happening] of links) await enqueue(tx, id, deps.debounceMs, happening);
    };
    for (const happening of happenings) {
      if (happening.kind === 'message.received' || happening.kind === 'message.queued') {
        // What was there before the channel was connected is no news for a record (C13).
        if (happening.kind === 'message.received' && happening.origin === 'imported') continue;
        fresh.push(happening);
      } else {
        await makeDue();
        await followOther(tx, happening);
      }
    }
    await makeDue();
  };
}

type NewMessage = Extract<Happening, { kind: 'message.received' | 'message.queued' }>;

/**
 * Says that messages belong into the notes of each link of their conversations; answers the links to write to now, each with
 * what happened last there. What we send is written when it has left.
 */
async function makeAllDue(tx: Tx, fresh: readonly NewMessage[]): Promise<Map<string, Happening>> {
  const writable = new Map<string, Happening>();
  if (fresh.length === 0) return writable;
  const conversationIds = [...new Set(fresh.map(({ message }) => message.conversationId))].sort();
  const links = await tx.query<{ id: string; state: string; conversationId: string }>(
    `update link set history_complete = 0
     where conversation_id in (${conversationIds.map(() => '?').join(', ')}) and removed_at is null
     returning id, state, conversation_id`,
    conversationIds,
  );
  for (const happening of fresh) {
    const { message } = happening;
    for (const { id, state } of links.filter((link) => link.conversationId === message.conversationId)) {
      await tx.query(
        `insert into noted_message (link_id, message_id, note_id, confirmed) values (?, ?, '', 0) on conflict do nothing`,
        [id, message.id],
      );
      if (happening.kind === 'message.received' && state === 'active') writable.set(id, happening);
    }
  }
  return writable;
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
