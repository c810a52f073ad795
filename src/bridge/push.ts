// Tells Pipedrive what it has yet to hear of one conversation, in order and one at a time; what it has heard is struck off (B2).
import { timeText } from '../base/clock.ts';
import { UpstreamError } from '../base/errors.ts';
import type { Reader } from '../db/database.ts';
import type {
  AttachmentRow,
  BridgeChannelRow,
  BridgePendingRow,
  ChannelRow,
  ContactRow,
  ConversationRow,
  MessageRow,
} from '../db/tables.ts';
import { readSettings } from '../companies/settings.ts';
import { defineTask, type Outcome, type RunningJob } from '../jobs/queue.ts';
import { pushMessage, removeConversation, type ChannelsFailure } from '../pipedrive/channels-api.ts';
import type { Grant } from '../pipedrive/tokens.ts';
import type { Gate } from './gate.ts';
import { pushedMessage, type ShapeDeps } from './shapes.ts';
import { bridgeOf, giveUp, settleBridge, understand, type BridgeDeps } from './state.ts';
import { enqueueSync } from './sync.ts';
import { pushTask } from './tasks.ts';

export interface PushDeps extends BridgeDeps, ShapeDeps {
  readonly gate: Gate;
  /** Whether names and pictures of contacts are asked for after their first message. */
  readonly hasProfiles: (provider: ChannelRow['provider']) => boolean;
}

/** So many at a time; then others have their turn. */
const mostAtOnce = 50;
/** A file on its way is waited for so long, so that one push tells text and file. */
const mediaPatienceMs = 10_000;
/** Pipedrive reads who somebody is when it first hears of him, and never again: his name is waited for so long. */
const namePatienceMs = 10_000;
const noBudgetWaitMs = 600_000;
const lastResortMs = 3_600_000;

/** Runs in the conversation's lane. With `probe` it asks although the bridge was found closed. */
export const pushConversation = defineTask(
  pushTask.name,
  pushTask.shape,
  async (deps: PushDeps, { conversationId, probe = false }, job) => {
    if (deps.channelsApi === 'off') return undefined;
    for (let count = 0; count < mostAtOnce; count += 1) {
      const next = await deps.db.read((reader) => nextOf(reader, conversationId));
      if (!next) return undefined;
      const { companyId } = next.pending;
      if (!mayTell(next, probe)) return undefined;
      const waitMs = deps.gate.enter(companyId);
      if (waitMs !== undefined) return { againInMs: waitMs };
      let outcome: 'answered' | 'unanswered' = 'unanswered';
      try {
        const told = await tell(deps, next);
        outcome = 'answered';
        if (told === 'not yet') return { againInMs: 1_000 };
        await strike(deps, next.pending);
        if (told === 'told' && !next.isActive) await welcomeBack(deps, companyId);
      } catch (error) {
        const failure = understand(error);
        if (failure.verdict !== 'later') outcome = 'answered';
        const goesOn = await settle(deps, next, failure, error as UpstreamError, job);
        if (goesOn !== 'next') return goesOn;
      } finally {
        deps.gate.leave(companyId, outcome);
      }
    }
    return { againInMs: 0 };
  },
);

interface Next {
  readonly pending: BridgePendingRow;
  readonly isActive: boolean;
  readonly registration: BridgeChannelRow | undefined;
  readonly channel: ChannelRow | undefined;
}

/** What happened first comes first: ids are in the order in which things were stored. A deletion is before what followed it. */
async function nextOf(reader: Reader, conversationId: string): Promise<Next | undefined> {
  const pending = await reader.one<BridgePendingRow>(
    'select * from bridge_pending where conversation_id = ? order by what, id limit 1',
    [conversationId],
  );
  if (!pending) return undefined;
  const bridge = await bridgeOf(reader, pending.companyId);
  return {
    pending,
    isActive: bridge?.state === 'active',
    registration: await reader.one<BridgeChannelRow>('select * from bridge_channel where channel_id = ?', [
      pending.channelId,
    ]),
    channel: await reader.one<ChannelRow>('select * from channel where id = ?', [pending.channelId]),
  };
}

/** While a channel is being registered its history is read there; what comes meanwhile follows when that is done (sync.ts). */
function mayTell({ isActive, registration }: Next, probe: boolean): boolean {
  return (isActive || probe) && registration?.state !== 'registering';
}

/** `nothing` when there is nothing (any more) to be told. */
async function tell(deps: PushDeps, next: Next): Promise<'told' | 'nothing' | 'not yet'> {
  const { pending, registration, channel } = next;
  if (!registration || !channel || registration.state === 'removed') return 'nothing';
  if (pending.what === 'deletion') {
    await tellDeletion(deps, pending, registration);
    return 'told';
  }
  const found = await deps.db.read((reader) => load(reader, pending.id));
  if (!found) return 'nothing';
  const { conversation, contact, message, attachments } = found;
  // Its outcome brings it here again.
  if (message.status === 'queued' || message.status === 'unknown') return 'nothing';
  const isOnItsWay = attachments.some(({ state }) => state === 'pending');
  if (isOnItsWay && timeText(deps.clock, -mediaPatienceMs) < pending.since) return 'not yet';
  const isNameless = contact.profileAt === null && deps.hasProfiles(channel.provider);
  if (isNameless && timeText(deps.clock, -namePatienceMs) < contact.createdAt) return 'not yet';
  const [grant] = await deps.grants(pending.companyId, [registration.userId, channel.ownerId]);
  if (!grant) throw new UpstreamError('pipedrive', 'reconnect', { reason: 'no_grant' });
  await pushMessage(
    deps.pipedriveFor(grant),
    pushedMessage(deps, conversation, found.language, { message, attachments }),
  );
  return 'told';
}

/** Pipedrive takes it from the user who registered the channel; should that have changed, one of the others is he. */
async function tellDeletion(deps: PushDeps, pending: BridgePendingRow, registration: BridgeChannelRow): Promise<void> {
  const grants = await deps.grants(pending.companyId, [registration.userId]);
  let refused: unknown = new UpstreamError('pipedrive', 'reconnect', { reason: 'no_grant' });
  for (const grant of grants) {
    const failed = await deleteAs(deps, grant, pending);
    if (failed === undefined) return;
    refused = failed;
  }
  throw refused;
}

async function deleteAs(deps: PushDeps, grant: Grant, pending: BridgePendingRow): Promise<unknown> {
  try {
    await removeConversation(deps.pipedriveFor(grant), pending.channelId, pending.id);
    return undefined;
  } catch (error) {
    if (understand(error).verdict !== 'other_user') throw error;
    return error;
  }
}

async function settle(
  deps: PushDeps,
  { pending }: Next,
  failure: ChannelsFailure,
  error: UpstreamError,
  job: RunningJob,
): Promise<Outcome | 'next'> {
  switch (failure.verdict) {
    case 'gone':
    case 'blocked':
      await deps.db.transaction((tx) => giveUp(deps, tx, pending.companyId, failure));
      return undefined;
    case 'unknown_channel':
      await forgetChannel(deps, pending);
      return undefined;
    case 'other_user':
    case 'refused':
      // It will never be taken: the rest of the conversation must not wait for it.
      deps.log.warn({ err: error, what: pending.what, id: pending.id }, 'Leads Inbox does not take something');
      await strike(deps, pending);
      return 'next';
    case 'later':
      if (error.kind === 'stop') return { againInMs: Math.min(error.retryAfterMs ?? noBudgetWaitMs, noBudgetWaitMs) };
      // It is kept in any case: no reason to park a job and wake somebody.
      if (job.lastAttempt) return { againInMs: lastResortMs };
      throw error;
  }
}

/** Unless it changed again while it was told. */
async function strike(deps: PushDeps, { id, version }: BridgePendingRow): Promise<void> {
  await deps.db.grouped((tx) => tx.query('delete from bridge_pending where id = ? and version = ?', [id, version]));
}

/** It answered the probe: everything that waits is told, and channels that came meanwhile are registered. */
async function welcomeBack(deps: PushDeps, companyId: string): Promise<void> {
  await deps.db.transaction(async (tx) => {
    await settleBridge(deps, tx, companyId, { state: 'active', reason: null });
    await enqueueSync(deps, tx, companyId);
  });
}

/** Pipedrive does not know the channel: registering it anew makes it read all that we would have told. */
async function forgetChannel(deps: PushDeps, { companyId, channelId }: BridgePendingRow): Promise<void> {
  await deps.db.transaction(async (tx) => {
    await tx.query('delete from bridge_channel where channel_id = ?', [channelId]);
    await tx.query('delete from bridge_pending where channel_id = ?', [channelId]);
    await enqueueSync(deps, tx, companyId);
  });
}

interface Loaded {
  readonly conversation: ConversationRow;
  readonly contact: ContactRow;
  readonly message: MessageRow;
  readonly attachments: readonly AttachmentRow[];
  readonly language: string;
}

async function load(reader: Reader, messageId: string): Promise<Loaded | undefined> {
  const message = await reader.one<MessageRow>('select * from message where id = ?', [messageId]);
  const conversation = await reader.one<ConversationRow>('select * from conversation where id = ?', [
    message?.conversationId ?? null,
  ]);
  const contact = await reader.one<ContactRow>('select * from contact where id = ?', [conversation?.contactId ?? null]);
  if (!message || !conversation || !contact) return undefined;
  const attachments = await reader.query<AttachmentRow>(
    'select * from attachment where message_id = ? order by position',
    [messageId],
  );
  const { language } = await readSettings(reader, message.companyId);
  return { conversation, contact, message, attachments, language };
}
