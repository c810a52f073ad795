// What happens to a conversation to which notes must be written. Decides and enqueues; `write.ts` does it.
import type { Tx } from '../db/database.ts';
import type { MessageRow } from '../db/tables.ts';
import type { Follower, Happening } from '../inbox/changes.ts';
import type { Queue } from '../jobs/queue.ts';
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
    if (happening.kind === 'link.added') return enqueue(tx, happening.link.id, 0);
    const message = messageToNote(happening);
    if (!message) return;
    const links = await tx.query<{ id: string }>(
      `update link set history_complete = 0
       where conversation_id = ? and removed_at is null and state = 'active' and after_message_id < ?
         and not exists (select 1 from noted_message n where n.link_id = link.id and n.message_id = ?)
       returning id`,
      [message.conversationId, message.id, message.id],
    );
    for (const { id } of links) await enqueue(tx, id, deps.debounceMs);
  };
}

/** Inbound ones at once; ours when their fate is known. */
function messageToNote(happening: Happening): MessageRow | undefined {
  if (happening.kind === 'message.received') return happening.message;
  if (happening.kind === 'message.changed' && isSettled(happening.message)) return happening.message;
  return undefined;
}

function isSettled(message: Pick<MessageRow, 'status'>): boolean {
  return message.status !== 'queued' && message.status !== 'unknown';
}
