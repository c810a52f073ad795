// A provider reports what became of a message of ours. Status only moves forward (C7, O-02).
import { z } from 'zod';
import type { StatusEvent } from '../channels/provider.ts';
import type { Tx } from '../db/database.ts';
import type { MessageRow, MessageStatus } from '../db/tables.ts';
import { defineTask } from '../jobs/queue.ts';
import type { InboxDeps } from './deps.ts';

const statusEvent = z.custom<StatusEvent>((value) => (value as Partial<StatusEvent> | null)?.type === 'status');

/** How long a report waits for its message: it may overtake the answer to our send. */
const patienceMs = 180_000;

/** A failure overrides `sent` but never a proof of delivery; a proof of delivery overrides a failure. */
const rank: Readonly<Record<MessageStatus, number>> = {
  received: 99,
  queued: 0,
  unknown: 1,
  sent: 2,
  failed: 3,
  delivered: 4,
  read: 5,
};

export const applyStatus = defineTask(
  'apply-status',
  z.object({ channelId: z.string(), event: statusEvent, receivedAt: z.string() }),
  async (deps: InboxDeps, { channelId, event, receivedAt }, job) => {
    const applied = await deps.db.grouped(async (tx) => {
      const found =
        event.through === null ? await ofOne(tx, channelId, event) : await ofAllThrough(tx, channelId, event);
      if (found === undefined) return false;
      for (const message of found) await moveForward(deps, tx, message, event);
      job.done(tx);
      return true;
    });
    if (applied) return undefined;
    if (deps.clock.now().getTime() - Date.parse(receivedAt) < patienceMs) return { againInMs: 1_000 };
    deps.metrics.ignoredEvents.inc({ provider: 'any', reason: 'status_of_unknown_message' });
    return undefined;
  },
);

/** Held until the end, so that what somebody else makes of it at this moment is seen. On SQLite there is one writer anyway. */
function held({ kind }: Tx): string {
  return kind === 'postgres' ? 'for update of m' : '';
}

async function ofOne(tx: Tx, channelId: string, event: StatusEvent): Promise<MessageRow[] | undefined> {
  const message = await tx.one<MessageRow>(
    `select m.* from message m where m.channel_id = ? and m.direction = 'outbound'
       and (m.provider_message_id = ? or (m.id = ? and m.provider_message_id is null)) ${held(tx)}`,
    [channelId, event.providerMessageId, event.messageId],
  );
  return message && [message];
}

async function ofAllThrough(tx: Tx, channelId: string, event: StatusEvent): Promise<MessageRow[]> {
  const identity = event.contact?.identities[0];
  if (!identity || event.through === null) return [];
  return tx.query<MessageRow>(
    `select m.* from message m join conversation c on c.id = m.conversation_id
     join contact_identity i on i.contact_id = c.contact_id and i.channel_id = m.channel_id
     where m.channel_id = ? and i.type = ? and i.value = ? and m.direction = 'outbound'
       and m.sent_at <= ? and m.status in ('unknown', 'sent', 'delivered', 'failed')
     order by m.id ${held(tx)}`,
    [channelId, identity.type, identity.value, event.through],
  );
}

async function moveForward(deps: InboxDeps, tx: Tx, message: MessageRow, event: StatusEvent): Promise<void> {
  const forward = rank[event.status] > rank[message.status];
  const namesIt = message.providerMessageId === null && event.providerMessageId !== null;
  if (!forward && !namesIt) return;
  // A watermark says nothing of a message that failed.
  if (event.through !== null && message.status === 'failed') return;
  const status = forward ? event.status : message.status;
  const failure = status === 'failed' ? event.failure : null;
  const after = await tx.one<MessageRow>(
    `update message set status = ?, error_code = ?, provider_code = ?, sending_at = null,
       provider_message_id = coalesce(provider_message_id, ?), sent_at = coalesce(sent_at, ?)
     where id = ? and status = ? returning *`,
    [
      status,
      failure?.code ?? null,
      failure?.providerCode ?? null,
      event.providerMessageId,
      message.sentAt ?? message.createdAt,
      message.id,
      message.status,
    ],
  );
  // Somebody else moved it in this moment: look again.
  if (!after) throw new Error('the status changed meanwhile');
  const conversation = { id: after.conversationId, companyId: after.companyId };
  await deps.changes.record(tx, { kind: 'message.changed', conversation, message: after });
}
