// A channel is stored: what connecting a Page and a WhatsApp number have in common (C1, C2).
import { timeText } from '../base/clock.ts';
import { UserError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import type { Providers } from '../channels/provider.ts';
import type { Viewer } from '../companies/access.ts';
import { audit } from '../companies/audit.ts';
import type { Tx } from '../db/database.ts';
import { Channel, type ChannelRow } from '../db/tables.ts';
import { factsOf, type ChannelFacts } from './channel-state.ts';
import { credentialsPlace, type InboxDeps } from './deps.ts';
import { importHistory } from './import-history.ts';
import { reconcileChannel } from './reconcile.ts';

export interface ConnectDeps extends InboxDeps {
  readonly providers: Providers;
}

export interface NewChannel {
  readonly provider: 'messenger' | 'whatsapp';
  readonly account: string;
  readonly address: string;
  readonly name: string;
  readonly visibility: 'shared' | 'private';
  readonly credentials: object;
  readonly facts: ChannelFacts;
}

/** A new channel; or the company's own one of that address again, with fresh credentials and all its conversations. */
export async function storeChannel(deps: ConnectDeps, tx: Tx, viewer: Viewer, wanted: NewChannel): Promise<ChannelRow> {
  const holders = await tx.query<ChannelRow>(
    `select * from channel where provider = ? and account = ? and address = ?
     order by case when state = 'disconnected' then 1 else 0 end, created_at desc`,
    [wanted.provider, wanted.account, wanted.address],
  );
  const active = holders.find((holder) => holder.state !== 'disconnected');
  // The same Page or number in two companies would send each of them the other's messages.
  if (active && active.companyId !== viewer.companyId) throw new UserError('channel_taken');
  const own = active ?? holders.find((holder) => holder.companyId === viewer.companyId);
  if (own && own.visibility === 'private' && own.ownerId !== viewer.userId) throw new UserError('channel_taken');
  const now = timeText(deps.clock);
  const id = own?.id ?? newId();
  // Reconnected without having been disconnected: nothing that happened meanwhile is "before".
  const kept = active ? factsOf(active) : undefined;
  const facts: ChannelFacts = {
    ...wanted.facts,
    connectedAt: kept?.connectedAt ?? now,
    ...(kept?.reconciledThrough === undefined ? {} : { reconciledThrough: kept.reconciledThrough }),
    ...(kept?.import === undefined ? {} : { import: kept.import }),
    ...(kept?.provenAt === undefined ? {} : { provenAt: kept.provenAt }),
  };
  const sealed = deps.vault.seal(
    JSON.stringify(wanted.credentials),
    credentialsPlace({ id, companyId: viewer.companyId }),
  );
  const channel: ChannelRow = {
    id,
    companyId: viewer.companyId,
    ownerId: own?.ownerId ?? viewer.userId,
    provider: wanted.provider,
    account: wanted.account,
    address: wanted.address,
    name: wanted.name,
    avatarUrl: null,
    visibility: own?.visibility ?? wanted.visibility,
    sealedCredentials: sealed,
    state: 'connected',
    brokenReason: null,
    facts: JSON.stringify(facts),
    lastInboundAt: own?.lastInboundAt ?? null,
    lastOutboundAt: own?.lastOutboundAt ?? null,
    createdAt: own?.createdAt ?? now,
    disconnectedAt: null,
  };
  if (own) {
    await tx.query(
      `update channel set name = ?, sealed_credentials = ?, state = 'connected', broken_reason = null, facts = ?,
         disconnected_at = null where id = ?`,
      [channel.name, sealed, channel.facts, id],
    );
  } else {
    await tx.insert(Channel, channel);
  }
  if (!active) await deps.queue.enqueue(tx, importHistory, { channelId: id, cursor: null }, { key: id });
  await deps.queue.enqueue(tx, reconcileChannel, { channelId: id, page: null }, { key: id, delayMs: 2_000 });
  await audit(deps, tx, {
    companyId: viewer.companyId,
    userId: viewer.userId,
    act: own ? 'channel_reconnected' : 'channel_connected',
    details: { channelId: id, provider: wanted.provider },
  });
  await deps.changes.record(tx, { kind: 'channel.changed', companyId: viewer.companyId, channelId: id });
  return channel;
}
