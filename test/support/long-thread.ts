// A thread with a long past: the message of a conversation, copied.
import { newId } from '../../src/base/ids.ts';
import { Message, type MessageRow } from '../../src/db/tables.ts';
import type { World } from './world.ts';

export interface Past {
  readonly count: number;
  readonly textOf: (index: number) => string;
  /** So many have the same minute. */
  readonly aMinute?: number;
}

/** Copies a conversation's message so often that the thread is long; the copies lie before it, the first one first. */
export async function makeLong(here: World, conversationId: string, past: Past): Promise<void> {
  const { count, textOf, aMinute = 1 } = past;
  await here.app.db.transaction(async (tx) => {
    const [first] = await tx.query<MessageRow>('select * from message where conversation_id = ?', [conversationId]);
    const start = Date.parse(first!.createdAt) - (count + 1) * 60_000;
    for (let from = 0; from < count; from += 200) {
      const rows = Array.from({ length: Math.min(200, count - from) }, (_, step) => ({
        ...first!,
        id: newId(),
        providerMessageId: `copy-${conversationId}-${from + step}`,
        text: textOf(from + step),
        createdAt: new Date(start + Math.floor((from + step) / aMinute) * 60_000).toISOString(),
      }));
      await tx.insert(Message, rows);
    }
  });
}
