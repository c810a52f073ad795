// A linked record changed in Pipedrive: the link follows it, learns its new facts, or is shown as broken (L6).
import { z } from 'zod';
import { later, timeText, type Clock } from '../base/clock.ts';
import { UpstreamError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Database, Tx } from '../db/database.ts';
import type { LinkRow } from '../db/tables.ts';
import { defineTask, type Outcome } from '../jobs/queue.ts';
import type { PipedriveClient } from '../pipedrive/client.ts';
import { dealOfLead, readRecord, type ReadRecord, type RecordType } from '../pipedrive/records.ts';
import type { Grant } from '../pipedrive/tokens.ts';
import { theApp, type Changes } from './changes.ts';
import { breakLink } from './link-state.ts';

export interface FollowDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly changes: Changes;
  readonly pipedriveFor: (grant: Grant) => PipedriveClient;
  readonly grants: (companyId: string, preferred: readonly (string | null)[]) => Promise<Grant[]>;
}

/** A lead that became a deal is gone some moments before its deal can be found. */
const conversionMs = 40_000;
const lookMs = 10_000;
const waitMs = 30_000;

/** Asks Pipedrive how it is with the record now; what told us of it may be late, doubled or out of order. */
export const followRecord = defineTask(
  'follow-record',
  z.object({ linkId: z.string(), mergedTo: z.string().optional(), since: z.string() }),
  async (deps: FollowDeps, { linkId, mergedTo, since }): Promise<Outcome> => {
    const link = await deps.db.read((reader) =>
      reader.one<LinkRow>(`select * from link where id = ? and removed_at is null and state = 'active'`, [linkId]),
    );
    if (!link) return undefined;
    try {
      return await withSomebody(deps, link.companyId, [link.createdBy], (client) =>
        follow(deps, client, link, { mergedTo, since }),
      );
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      if (error.reason === 'forbidden') {
        await deps.db.transaction((tx) => breakLink(deps, tx, link.id, 'forbidden'));
        return undefined;
      }
      return { againInMs: Math.max(error.retryAfterMs ?? 0, error.kind === 'retry' ? 2_000 : waitMs) };
    }
  },
);

/** Runs it with the access of the first user for whom it works, the preferred ones first. */
export async function withSomebody<T>(
  deps: Pick<FollowDeps, 'grants' | 'pipedriveFor'>,
  companyId: string,
  preferred: readonly (string | null)[],
  work: (client: PipedriveClient) => Promise<T>,
): Promise<T> {
  let last: unknown = new UpstreamError('pipedrive', 'reconnect', { reason: 'no_grant' });
  for (const grant of await deps.grants(companyId, preferred)) {
    try {
      return await work(deps.pipedriveFor(grant));
    } catch (error) {
      const another = error instanceof UpstreamError && (error.kind === 'reconnect' || error.reason === 'forbidden');
      if (!another) throw error;
      last = error;
    }
  }
  throw last;
}

async function follow(
  deps: FollowDeps,
  client: PipedriveClient,
  link: LinkRow,
  told: { mergedTo: string | undefined; since: string },
): Promise<Outcome> {
  const record = await readRecord(client, link.type, link.recordId);
  if (record.state === 'present') {
    await deps.db.transaction((tx) => learn(deps, tx, link, record));
    return undefined;
  }
  const target = await successor(client, link, told.mergedTo);
  if (target) {
    const there = await readRecord(client, target.type, target.recordId);
    if (there.state === 'present') {
      await deps.db.transaction((tx) => move(deps, tx, link, target, there));
      return undefined;
    }
  }
  if (link.type === 'lead' && later(told.since, conversionMs) > timeText(deps.clock)) return { againInMs: lookMs };
  await deps.db.transaction((tx) => breakLink(deps, tx, link.id, told.mergedTo ? 'merged' : 'deleted'));
  return undefined;
}

interface Target {
  readonly type: RecordType;
  readonly recordId: string;
}

async function successor(
  client: PipedriveClient,
  link: LinkRow,
  mergedTo: string | undefined,
): Promise<Target | undefined> {
  if (mergedTo !== undefined) return { type: link.type, recordId: mergedTo };
  if (link.type !== 'lead') return undefined;
  const recordId = await dealOfLead(client, link.recordId, link.createdAt);
  return recordId === undefined ? undefined : { type: 'deal', recordId };
}

type Present = Extract<ReadRecord, { state: 'present' }>;

/** Title, stage, owner: what the screens show of the record. */
async function learn(deps: FollowDeps, tx: Tx, link: LinkRow, record: Present): Promise<void> {
  const reason = record.archived ? 'archived' : null;
  const details = JSON.stringify(record.details);
  const isNew = link.title !== record.title || link.details !== details || link.reason !== reason;
  const after = await tx.one<LinkRow>(
    'update link set title = ?, details = ?, reason = ?, checked_at = ? where id = ? and removed_at is null returning *',
    [record.title, details, reason, timeText(deps.clock), link.id],
  );
  if (!after || !isNew) return;
  const conversation = { id: link.conversationId, companyId: link.companyId };
  await deps.changes.record(tx, { kind: 'link.changed', conversation, link: after });
}

/** Pipedrive takes the notes along, so the open one goes on taking messages. */
async function move(deps: FollowDeps, tx: Tx, link: LinkRow, target: Target, record: Present): Promise<void> {
  const conversation = { id: link.conversationId, companyId: link.companyId };
  const known = await tx.one<LinkRow>(
    'select * from link where conversation_id = ? and type = ? and record_id = ? and removed_at is null and id <> ?',
    [link.conversationId, target.type, target.recordId, link.id],
  );
  // The conversation is linked to the survivor already: one link is enough.
  const after = known
    ? await tx.one<LinkRow>('update link set removed_at = ? where id = ? and removed_at is null returning *', [
        timeText(deps.clock),
        link.id,
      ])
    : await tx.one<LinkRow>(
        `update link set type = ?, record_id = ?, title = ?, details = ?, reason = null, checked_at = ?
         where id = ? and removed_at is null returning *`,
        [target.type, target.recordId, record.title, JSON.stringify(record.details), timeText(deps.clock), link.id],
      );
  if (!after) return;
  await deps.changes.record(tx, { kind: 'link.changed', conversation, link: after, act: 'link_moved', by: theApp });
}
