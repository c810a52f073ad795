// Brings the channels that Pipedrive knows in line with ours: registers, removes, and asks again, rarely, where the Channels
// API did not answer (B2, B4, P-08). What failed to be told while it was away is told when it is back.
import { timeText } from '../base/clock.ts';
import { UpstreamError } from '../base/errors.ts';
import type { Reader, Tx } from '../db/database.ts';
import type { BridgeChannelRow, BridgeRow, ChannelRow } from '../db/tables.ts';
import { factsOf } from '../inbox/channel-state.ts';
import { importHistory } from '../inbox/import-history.ts';
import { defineTask, type Outcome, type RunningJob } from '../jobs/queue.ts';
import { registerChannel, removeChannel, type ChannelsFailure } from '../pipedrive/channels-api.ts';
import type { Grant } from '../pipedrive/tokens.ts';
import { bridgeOf, giveUp, probeAgainMs, settleBridge, understand, type BridgeDeps } from './state.ts';
import { pushTask, syncTask } from './tasks.ts';

export interface SyncDeps extends BridgeDeps {
  readonly capabilities: (provider: ChannelRow['provider']) => { readonly templates: boolean };
}

/** Conversations brought to mind in one transaction when the bridge is back. */
const mostAtOnce = 200;

/** An import that takes longer is not waited for: what it brings later is told message by message. */
const importPatienceMs = 60_000;

/** Runs in the company's lane; the daily one only brings it there, as one that waits in a lane holds it up. */
export const syncBridge = defineTask(
  syncTask.name,
  syncTask.shape,
  async (deps: SyncDeps, { companyId, daily = false, after }, job) => {
    if (deps.channelsApi === 'off') return undefined;
    const work = await deps.db.read((reader) => loadWork(deps, reader, companyId));
    const waitMs = untilProbe(deps, work);
    if (waitMs > 0) return daily ? { againInMs: waitMs } : undefined;
    if (daily) {
      await deps.db.transaction((tx) => enqueueSync(deps, tx, companyId));
      return undefined;
    }
    try {
      for (const gone of work.toRemove) await remove(deps, gone);
      const problem = await registerAll(deps, work);
      if (problem && work.registered === 0) throw problem;
    } catch (error) {
      return stopped(deps, companyId, error, job);
    }
    await deps.db.transaction((tx) => goOn(deps, tx, companyId, work, after ?? ''));
    return work.isImporting ? { againInMs: 1_000 } : undefined;
  },
);

/** At the start of the app: what the operator's switch says, and what an earlier run left open. */
export async function beginBridge(deps: BridgeDeps): Promise<void> {
  await deps.db.transaction(async (tx) => {
    if (deps.channelsApi === 'off') {
      await tx.query(`update bridge set state = 'off', reason = 'switched_off'`);
      return;
    }
    await tx.query(`delete from bridge where state = 'off'`);
    const companies = await tx.query<{ companyId: string }>(
      `select company_id from channel where state <> 'disconnected' union select company_id from bridge_channel`,
    );
    for (const { companyId } of companies) await enqueueSync(deps, tx, companyId);
  });
}

/** Soon, and once however many ask. */
export function enqueueSync(deps: Pick<BridgeDeps, 'queue'>, tx: Tx, companyId: string): Promise<void> {
  return deps.queue.enqueue(tx, syncTask, { companyId }, { lane: `bridge:${companyId}`, key: `${companyId} now` });
}

interface Work {
  readonly bridge: BridgeRow | undefined;
  readonly toAdd: readonly ChannelRow[];
  readonly toRemove: readonly BridgeChannelRow[];
  /** A channel is not registered yet because what was before is still being taken over: it is to appear there at once. */
  readonly isImporting: boolean;
  /** How many are in order. */
  registered: number;
  /** Names of the company's channels: Pipedrive wants each to be unique. */
  readonly names: readonly string[];
  /** When somebody of the company installed last: a new grant may hold what was missing. */
  readonly installedAt: string | null;
}

async function loadWork(deps: SyncDeps, reader: Reader, companyId: string): Promise<Work> {
  const channels = await reader.query<ChannelRow>(
    `select * from channel where company_id = ? and state <> 'disconnected' order by created_at, id`,
    [companyId],
  );
  const known = await reader.query<BridgeChannelRow>('select * from bridge_channel where company_id = ?', [companyId]);
  const installed = await reader.one<{ installedAt: string | null }>(
    `select max(installed_at) as installed_at from installation where company_id = ? and state = 'active'`,
    [companyId],
  );
  const registrationOf = (channel: ChannelRow) => known.find(({ channelId }) => channelId === channel.id);
  // A private channel may be seen by its owner alone: nobody else's registration will do (A8).
  const isForeign = (channel: ChannelRow): boolean => {
    const registration = registrationOf(channel);
    return (
      channel.visibility === 'private' &&
      registration?.state === 'registered' &&
      registration.userId !== channel.ownerId
    );
  };
  const importing = await importingChannels(reader, companyId);
  const isAwaited = (channel: ChannelRow): boolean => {
    const { connectedAt = '' } = factsOf(channel);
    return importing.has(channel.id) && connectedAt > timeText(deps.clock, -importPatienceMs);
  };
  const missing = channels.filter((channel) => {
    const registration = registrationOf(channel);
    return !registration || registration.state === 'registering' || isForeign(channel);
  });
  const ofChannel = (row: BridgeChannelRow) => channels.find(({ id }) => id === row.channelId);
  return {
    bridge: await bridgeOf(reader, companyId),
    toAdd: missing.filter((channel) => !isAwaited(channel)),
    isImporting: missing.some(isAwaited),
    toRemove: known.filter((row) => {
      const channel = ofChannel(row);
      return !channel || isForeign(channel);
    }),
    registered: channels.filter((channel) => registrationOf(channel)?.state === 'registered' && !isForeign(channel))
      .length,
    names: channels.map(({ name }) => name),
    installedAt: installed?.installedAt ?? null,
  };
}

/** Channels whose import has not ended. */
async function importingChannels(reader: Reader, companyId: string): Promise<ReadonlySet<string>> {
  const rows = await reader.query<{ id: string }>(
    `select ch.id from channel ch join job j on j.task = ? and j.merge_key = ch.id and j.parked_at is null
     where ch.company_id = ?`,
    [importHistory.name, companyId],
  );
  return new Set(rows.map(({ id }) => id));
}

/** How long a bridge that did not work is still left alone. */
function untilProbe(deps: SyncDeps, { bridge, installedAt }: Work): number {
  if (!bridge || bridge.state === 'active') return 0;
  const hasNewGrant = bridge.state === 'blocked' && installedAt !== null && installedAt > bridge.checkedAt;
  if (hasNewGrant) return 0;
  return Date.parse(bridge.checkedAt) + probeAgainMs[deps.channelsApi] - deps.clock.now().getTime();
}

async function remove(deps: SyncDeps, row: BridgeChannelRow): Promise<void> {
  const [grant] = await deps.grants(row.companyId, [row.userId]);
  // Without any grant the app is uninstalled there, and its channels are gone with it.
  if (grant && row.state !== 'removed') await removeChannel(deps.pipedriveFor(grant), row.channelId);
  await deps.db.transaction((tx) => forget(tx, row.channelId));
}

async function forget(tx: Tx, channelId: string): Promise<void> {
  await tx.query('delete from bridge_channel where channel_id = ?', [channelId]);
  await tx.query('delete from bridge_pending where channel_id = ?', [channelId]);
}

/** What stands in the way of one channel does not stand in the way of the others. Answers what that was. */
async function registerAll(deps: SyncDeps, work: Work): Promise<UpstreamError | undefined> {
  let problem: UpstreamError | undefined;
  for (const channel of work.toAdd) {
    try {
      await register(deps, channel, work);
      work.registered += 1;
    } catch (error) {
      const failure = understand(error);
      const isOfChannel =
        failure.verdict === 'refused' ||
        failure.verdict === 'other_user' ||
        (failure.verdict === 'blocked' && failure.reason === 'no_grant');
      if (!isOfChannel) throw error;
      deps.log.info({ err: error, channelId: channel.id }, 'a channel cannot be shown in Leads Inbox');
      problem = error as UpstreamError;
    }
  }
  return problem;
}

/** With the token of the first user who may: an admin, and of a private channel its owner. */
async function register(deps: SyncDeps, channel: ChannelRow, work: Work): Promise<void> {
  const living = await deps.grants(channel.companyId, [channel.ownerId]);
  const grants = channel.visibility === 'private' ? living.filter(({ userId }) => userId === channel.ownerId) : living;
  let refused: unknown = new UpstreamError('pipedrive', 'reconnect', { reason: 'no_grant' });
  for (const grant of grants) {
    const failed = await registerAs(deps, grant, channel, work);
    if (failed === undefined) return;
    refused = failed;
  }
  throw refused;
}

/** Written down before the call, so that what comes while Pipedrive reads the history is kept for it. */
async function registerAs(
  deps: SyncDeps,
  grant: Grant,
  channel: ChannelRow,
  work: Work,
): Promise<UpstreamError | undefined> {
  const client = deps.pipedriveFor(grant);
  const isRepeated = await begin(deps, grant, channel);
  // An earlier try may have come through: whether one id can be registered twice is not documented.
  if (isRepeated) await removeChannel(client, channel.id);
  try {
    await registerChannel(client, {
      name: nameOf(channel, work.names),
      providerChannelId: channel.id,
      providerType: channel.provider === 'messenger' ? 'facebook' : 'whatsapp',
      templateSupport: deps.capabilities(channel.provider).templates,
    });
  } catch (error) {
    const { verdict } = understand(error);
    if (verdict !== 'later') await deps.db.transaction((tx) => forget(tx, channel.id));
    if (verdict !== 'other_user') throw error;
    return error as UpstreamError;
  }
  await deps.db.transaction(async (tx) => {
    await tx.query(`update bridge_channel set state = 'registered', since = ? where channel_id = ?`, [
      timeText(deps.clock),
      channel.id,
    ]);
    await deps.changes.record(tx, { kind: 'channel.changed', companyId: channel.companyId, channelId: channel.id });
  });
  return undefined;
}

/** Answers whether it was begun before and has no outcome. */
function begin(deps: SyncDeps, grant: Grant, channel: ChannelRow): Promise<boolean> {
  return deps.db.transaction(async (tx) => {
    const before = await tx.one<BridgeChannelRow>('select * from bridge_channel where channel_id = ?', [channel.id]);
    await tx.query(
      `insert into bridge_channel (channel_id, company_id, user_id, state, since) values (?, ?, ?, 'registering', ?)
       on conflict (channel_id) do update set user_id = excluded.user_id, state = 'registering', since = excluded.since`,
      [channel.id, channel.companyId, grant.userId, timeText(deps.clock)],
    );
    return before?.state === 'registering';
  });
}

function nameOf(channel: ChannelRow, names: readonly string[]): string {
  const isUnique = names.filter((name) => name === channel.name).length === 1;
  return isUnique ? channel.name : `${channel.name} (${channel.address.replace(/^whatsapp:/, '')})`;
}

async function stopped(deps: SyncDeps, companyId: string, error: unknown, job: RunningJob): Promise<Outcome> {
  const failure: ChannelsFailure = understand(error);
  const { kind, retryAfterMs } = error as UpstreamError;
  if (kind === 'stop') return { againInMs: Math.min(retryAfterMs ?? 600_000, 600_000) };
  // No sense in it after hours of asking: then it is as good as gone.
  const isHopeless = failure.verdict === 'later' && job.lastAttempt;
  if (failure.verdict === 'later' && !isHopeless) throw error;
  await deps.db.transaction((tx) => giveUp(deps, tx, companyId, isHopeless ? { verdict: 'gone' } : failure));
  return undefined;
}

/**
 * After what was to be registered is: it works, unless nothing had to be asked. Then the oldest of what waits is the probe
 * (nothing new is made up for it), and its answer opens the rest.
 */
async function goOn(deps: SyncDeps, tx: Tx, companyId: string, work: Work, after: string): Promise<void> {
  const isProven = work.toAdd.length > 0 || work.bridge?.state === 'active';
  if (isProven) await settleBridge(deps, tx, companyId, { state: 'active', reason: null });
  const waiting = await tx.query<{ conversationId: string }>(
    `select distinct conversation_id from bridge_pending where company_id = ? and conversation_id > ?
     order by conversation_id limit ${isProven ? mostAtOnce : 1}`,
    [companyId, after],
  );
  for (const { conversationId } of waiting)
    await deps.queue.enqueue(
      tx,
      pushTask,
      { conversationId, ...(isProven ? {} : { probe: true }) },
      { lane: `push:${conversationId}`, key: conversationId },
    );
  const last = waiting.at(-1)?.conversationId;
  if (isProven && last !== undefined && waiting.length === mostAtOnce)
    await deps.queue.enqueue(tx, syncTask, { companyId, after: last }, { lane: `bridge:${companyId}` });
}
