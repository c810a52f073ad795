// A reaction given or taken back, and a text changed after sending: both find their message, or wait for it a while.
import { z } from 'zod';
import { later } from '../base/clock.ts';
import type { EditEvent, MessageDetails, ReactionEvent } from '../channels/provider.ts';
import type { Tx } from '../db/database.ts';
import type { MessageRow } from '../db/tables.ts';
import { defineTask, type Outcome } from '../jobs/queue.ts';
import type { InboxDeps } from './deps.ts';

/** As it is stored. One taken back stays as one without emoji, so that the giving of it, come late, changes nothing. */
export interface StoredReaction {
  readonly emoji: string | null;
  readonly by: string;
  /** ISO text. */
  readonly at: string;
}

const reactionEvent = z.custom<ReactionEvent>((value) => (value as Partial<ReactionEvent> | null)?.type === 'reaction');
const editEvent = z.custom<EditEvent>((value) => (value as Partial<EditEvent> | null)?.type === 'edit');

/** How long it waits for a message that it overtook. */
const patienceMs = 180_000;

/** One reaction of each side on a message: the newest by the provider's time stands. It also opens the reply window (C9). */
export const applyReaction = defineTask(
  'apply-reaction',
  z.object({ channelId: z.string(), event: reactionEvent, receivedAt: z.string() }),
  async (deps: InboxDeps, { channelId, event, receivedAt }) => {
    const found = await deps.db.transaction(async (tx) => {
      const message = await target(tx, channelId, event.targetProviderId);
      if (!message) return false;
      const at = event.at ?? receivedAt;
      const stored = JSON.parse(message.reactions) as StoredReaction[];
      const own = stored.find(({ by }) => by === event.by);
      if (own && own.at >= at) return true;
      const reactions = [...stored.filter((one) => one !== own), { emoji: event.emoji, by: event.by, at }];
      if (event.by === 'contact' && event.emoji !== null) await openWindow(deps, tx, message, at);
      await change(deps, tx, message, { reactions: JSON.stringify(reactions) });
      return true;
    });
    return waitUnless(deps, found, receivedAt, 'reaction');
  },
);

/** The text as it was changed last. */
export const applyEdit = defineTask(
  'apply-edit',
  z.object({ channelId: z.string(), event: editEvent, receivedAt: z.string() }),
  async (deps: InboxDeps, { channelId, event, receivedAt }) => {
    const found = await deps.db.transaction(async (tx) => {
      const message = await target(tx, channelId, event.targetProviderId);
      if (!message) return false;
      const details = message.details === null ? {} : (JSON.parse(message.details) as MessageDetails);
      const version = event.version ?? Date.parse(event.at ?? receivedAt);
      if ((details.editVersion ?? 0) >= version) return true;
      const changed: MessageDetails = { ...details, edited: true, editVersion: version };
      await change(deps, tx, message, { text: event.text, details: JSON.stringify(changed) });
      return true;
    });
    return waitUnless(deps, found, receivedAt, 'edit');
  },
);

/** Locked, so that two that come at once see each other. */
function target(tx: Tx, channelId: string, providerMessageId: string): Promise<MessageRow | undefined> {
  const lock = tx.kind === 'postgres' ? 'for update' : '';
  return tx.one<MessageRow>(`select * from message where channel_id = ? and provider_message_id = ? ${lock}`, [
    channelId,
    providerMessageId,
  ]);
}

async function change(
  deps: InboxDeps,
  tx: Tx,
  message: MessageRow,
  what: Partial<Pick<MessageRow, 'reactions' | 'text' | 'details'>>,
): Promise<void> {
  const { reactions, text, details } = { ...message, ...what };
  await tx.query('update message set reactions = ?, text = ?, details = ? where id = ?', [
    reactions,
    text,
    details,
    message.id,
  ]);
  await deps.changes.record(tx, {
    kind: 'message.changed',
    conversation: { id: message.conversationId, companyId: message.companyId },
    message: { ...message, ...what },
  });
}

async function openWindow(deps: InboxDeps, tx: Tx, message: MessageRow, at: string): Promise<void> {
  const channel = await tx.one<{ provider: 'messenger' | 'whatsapp' }>('select provider from channel where id = ?', [
    message.channelId,
  ]);
  const until = later(at, deps.provider(channel!.provider).capabilities.replyWindowMs);
  await tx.query(
    `update conversation set
       last_inbound_at = case when last_inbound_at is null or last_inbound_at < ? then ? else last_inbound_at end,
       reply_until = case when reply_until is null or reply_until < ? then ? else reply_until end
     where id = ?`,
    [at, at, until, until, message.conversationId],
  );
}

function waitUnless(deps: InboxDeps, found: boolean, receivedAt: string, what: string): Outcome {
  if (found) return undefined;
  if (deps.clock.now().getTime() - Date.parse(receivedAt) < patienceMs) return { againInMs: 1_000 };
  deps.metrics.ignoredEvents.inc({ provider: 'any', reason: `${what}_of_unknown_message` });
  return undefined;
}
