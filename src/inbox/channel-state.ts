// Whether a channel can send, and what is known of its health beyond its columns (C14).
import type { ChannelCheck, TroubleEvent, WebhookState } from '../channels/provider.ts';
import type { Tx } from '../db/database.ts';
import type { ChannelRow } from '../db/tables.ts';
import type { InboxDeps } from './deps.ts';

/** Facts of a channel's health that are not columns of their own; stored as JSON in `channel.facts`. */
export interface ChannelFacts {
  /** The number was typed and is not among the account's senders. */
  readonly unlisted?: boolean;
  /** Who tells Twilio our webhook addresses: we did, somebody must by hand, or somebody else's stand there. */
  readonly webhook?: WebhookState;
  /** Whose host stands there in place of ours. */
  readonly elsewhere?: string | undefined;
  /** When the first webhook came that proves an address entered by hand (ISO text). */
  readonly provenAt?: string;
  readonly senderSid?: string;
  readonly facebookUserId?: string;
  /** Since when it has been connected, without a disconnection in between (ISO text). */
  readonly connectedAt?: string;
  /** The provider's history has been looked through up to this time (ISO text). */
  readonly reconciledThrough?: string;
  /** Import of what was before it was connected (C13). */
  readonly import?: {
    readonly state: 'running' | 'done' | 'stopped';
    readonly done: number;
    readonly total: number | null;
  };
  /** What the provider said when it was asked last. */
  readonly check?: ChannelCheck & { readonly at: string };
  /** The last message that could not be sent, and why. */
  readonly lastError?: { readonly code: string; readonly providerCode: string | null; readonly at: string };
}

export function factsOf(channel: Pick<ChannelRow, 'facts'>): ChannelFacts {
  return JSON.parse(channel.facts) as ChannelFacts;
}

/** Changes the facts as they are at this moment; answers the channel as it then is. */
export async function changeFacts(
  tx: Tx,
  channelId: string,
  change: (facts: ChannelFacts) => ChannelFacts,
): Promise<ChannelRow | undefined> {
  const lock = tx.kind === 'postgres' ? 'for update' : '';
  const channel = await tx.one<ChannelRow>(`select * from channel where id = ? ${lock}`, [channelId]);
  if (!channel) return undefined;
  return tx.one<ChannelRow>('update channel set facts = ? where id = ? returning *', [
    JSON.stringify(change(factsOf(channel))),
    channelId,
  ]);
}

/** Keeps the last failure of a send for the channel's health (C14). */
export async function rememberError(
  tx: Tx,
  channelId: string,
  lastError: NonNullable<ChannelFacts['lastError']>,
): Promise<void> {
  await changeFacts(tx, channelId, (facts) => ({ ...facts, lastError }));
}

/** What a provider tells of the whole channel stands until it says otherwise, or a message goes out after it (C14). */
export async function noteTrouble(
  deps: Pick<InboxDeps, 'changes'>,
  tx: Tx,
  channel: ChannelRow,
  { code, isOver, at }: TroubleEvent,
  receivedAt: string,
): Promise<void> {
  await changeFacts(tx, channel.id, ({ lastError, ...facts }) => {
    if (!isOver) return { ...facts, lastError: { code, providerCode: null, at: at ?? receivedAt } };
    return lastError?.code.startsWith('policy') ? facts : { ...facts, ...(lastError ? { lastError } : {}) };
  });
  await deps.changes.record(tx, { kind: 'channel.changed', companyId: channel.companyId, channelId: channel.id });
}

/** Sending stops and the screens say why; messages that come in are still received and kept. */
export async function markBroken(
  deps: Pick<InboxDeps, 'changes'>,
  tx: Tx,
  channel: ChannelRow,
  reason: string,
): Promise<void> {
  const changed = await tx.query(
    `update channel set state = 'broken', broken_reason = ? where id = ? and state = 'connected' returning id`,
    [reason, channel.id],
  );
  if (changed.length === 0) return;
  await deps.changes.record(tx, { kind: 'channel.changed', companyId: channel.companyId, channelId: channel.id });
}

/** It works again without anybody's doing: the provider says that what was gone is there. */
export async function markSound(deps: Pick<InboxDeps, 'changes'>, tx: Tx, channel: ChannelRow): Promise<void> {
  const changed = await tx.query(
    `update channel set state = 'connected', broken_reason = null where id = ? and state = 'broken' returning id`,
    [channel.id],
  );
  if (changed.length === 0) return;
  await deps.changes.record(tx, { kind: 'channel.changed', companyId: channel.companyId, channelId: channel.id });
}
