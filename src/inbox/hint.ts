// Lets the contact see that somebody reads or types, where the provider can show it. Never in anybody's way: a failure is nothing.
import { z } from 'zod';
import { UpstreamError } from '../base/errors.ts';
import type { Tx } from '../db/database.ts';
import type { ChannelRow, ContactRow, ConversationRow } from '../db/tables.ts';
import { defineTask } from '../jobs/queue.ts';
import { accessOf, type InboxDeps } from './deps.ts';

const hint = z.enum(['seen', 'typing']);
type Hint = z.infer<typeof hint>;

/** Asked for again and again while somebody types, it becomes one call. */
export async function enqueueHint(
  deps: Pick<InboxDeps, 'provider' | 'queue'>,
  tx: Tx,
  conversation: Pick<ConversationRow, 'id' | 'channelId'>,
  what: Hint,
): Promise<void> {
  const channel = await tx.one<Pick<ChannelRow, 'provider' | 'state'>>(
    'select provider, state from channel where id = ?',
    [conversation.channelId],
  );
  if (channel?.state !== 'connected' || !deps.provider(channel.provider).hint) return;
  await deps.queue.enqueue(
    tx,
    hintContact,
    { conversationId: conversation.id, what },
    { key: `${conversation.id} ${what}` },
  );
}

export const hintContact = defineTask(
  'hint-contact',
  z.object({ conversationId: z.string(), what: hint }),
  async (deps: InboxDeps, { conversationId, what }) => {
    const found = await deps.db.read(async (reader) => {
      const conversation = await reader.one<ConversationRow>(
        'select * from conversation where id = ? and deleted_at is null',
        [conversationId],
      );
      const channel =
        conversation && (await reader.one<ChannelRow>('select * from channel where id = ?', [conversation.channelId]));
      const contact =
        conversation && (await reader.one<ContactRow>('select * from contact where id = ?', [conversation.contactId]));
      return channel && contact ? { channel, contact } : undefined;
    });
    if (found?.channel.state !== 'connected') return;
    const { channel, contact } = found;
    try {
      await deps.provider(channel.provider).hint?.(accessOf(deps, channel), contact.address, what);
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      deps.log.debug({ err: error, channelId: channel.id }, 'a hint was not taken');
    }
  },
  { maxAttempts: 1 },
);
