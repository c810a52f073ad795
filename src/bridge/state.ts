// How the bridge stands for a company: found from Pipedrive's answers, told to the screens, asked again rarely (B4).
import { timeText, type Clock } from '../base/clock.ts';
import { UpstreamError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Database, Reader, Tx } from '../db/database.ts';
import type { BridgeRow, BridgeState } from '../db/tables.ts';
import type { Changes } from '../inbox/changes.ts';
import type { Queue } from '../jobs/queue.ts';
import { channelsFailure, type ChannelsFailure } from '../pipedrive/channels-api.ts';
import type { PipedriveClient } from '../pipedrive/client.ts';
import type { Grant } from '../pipedrive/tokens.ts';
import { syncTask } from './tasks.ts';

/** The operator's switch: find out, insist, or leave it alone. */
export type BridgeSwitch = 'auto' | 'on' | 'off';

export interface BridgeDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly queue: Queue;
  readonly changes: Changes;
  readonly publicUrl: string;
  readonly channelsApi: BridgeSwitch;
  /** A client whose refused token is not held against the grant. */
  readonly pipedriveFor: (grant: Grant) => PipedriveClient;
  /** Living grants, the preferred users first. */
  readonly grants: (companyId: string, preferred: readonly (string | null)[]) => Promise<Grant[]>;
}

/** Why it is not active. Each has a sentence `bridge.<reason>` in `locales/`. */
export type BridgeReason = 'switched_off' | 'gone' | 'scope' | 'unauthorized' | 'no_grant' | 'admin_only' | 'refused';

/** How long a company whose bridge does not work is left alone: a day, or less where the operator says that it must work. */
export const probeAgainMs: Readonly<Record<BridgeSwitch, number>> = { auto: 86_400_000, on: 900_000, off: 86_400_000 };

export function bridgeOf(reader: Pick<Reader, 'one'>, companyId: string): Promise<BridgeRow | undefined> {
  return reader.one<BridgeRow>('select * from bridge where company_id = ?', [companyId]);
}

/** Remembers what was found. Answers whether that is another state than before. */
export async function settleBridge(
  deps: Pick<BridgeDeps, 'clock' | 'changes' | 'log'>,
  tx: Tx,
  companyId: string,
  found: { state: BridgeState; reason: BridgeReason | null },
): Promise<boolean> {
  const before = await bridgeOf(tx, companyId);
  await tx.query(
    `insert into bridge (company_id, state, reason, checked_at) values (?, ?, ?, ?)
     on conflict (company_id) do update set state = excluded.state, reason = excluded.reason, checked_at = excluded.checked_at`,
    [companyId, found.state, found.reason, timeText(deps.clock)],
  );
  if (before?.state === found.state && before.reason === found.reason) return false;
  const channels = await tx.query<{ id: string }>(`select id from channel where company_id = ?`, [companyId]);
  for (const { id } of channels) await deps.changes.record(tx, { kind: 'channel.changed', companyId, channelId: id });
  tx.afterCommit(() => deps.log.info({ companyId, ...found }, 'the bridge into Leads Inbox stands otherwise'));
  return before?.state !== found.state;
}

/** The bridge does not work for this company: nothing is asked for a while, then once. */
export async function giveUp(deps: BridgeDeps, tx: Tx, companyId: string, failure: ChannelsFailure): Promise<void> {
  const found =
    failure.verdict === 'gone'
      ? ({ state: 'unavailable', reason: 'gone' } as const)
      : ({ state: 'blocked', reason: reasonOf(failure) } as const);
  await settleBridge(deps, tx, companyId, found);
  const delayMs = probeAgainMs[deps.channelsApi];
  await deps.queue.enqueue(tx, syncTask, { companyId, daily: true }, { key: companyId, delayMs });
}

function reasonOf(failure: ChannelsFailure): BridgeReason {
  if (failure.verdict === 'blocked') return failure.reason;
  return failure.verdict === 'other_user' ? 'admin_only' : 'refused';
}

/** A vendor's failure in the bridge's words; what is no vendor's failure is thrown on. */
export function understand(error: unknown): ChannelsFailure {
  if (error instanceof UpstreamError) return channelsFailure(error);
  throw error;
}
