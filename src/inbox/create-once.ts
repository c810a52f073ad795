// Creates one record in Pipedrive for one demand, however often the demand is repeated and whatever got lost on the way (L4).
import { later, timeText } from '../base/clock.ts';
import { UpstreamError } from '../base/errors.ts';
import type { RecordRequestRow } from '../db/tables.ts';
import type { PipedriveClient } from '../pipedrive/client.ts';
import { findCreated, type CreatedRecord } from '../pipedrive/create-record.ts';
import type { RecordType } from '../pipedrive/records.ts';
import type { InboxDeps } from './deps.ts';

export interface Demand {
  readonly companyId: string;
  readonly conversationId: string;
  /** The same for every repetition of the demand. */
  readonly key: string;
  readonly type: RecordType;
  readonly title: string;
  readonly personId: string | null;
  readonly create: () => Promise<CreatedRecord>;
}

/** A demand under way for longer than this was interrupted. */
const underWayMs = 25_000;
const pollMs = 150;
const lookTimes = 3;

export async function createOnce(deps: InboxDeps, client: PipedriveClient, demand: Demand): Promise<CreatedRecord> {
  for (;;) {
    const turn = await takeTurn(deps, demand);
    if (turn.state === 'created') return { recordId: turn.recordId!, title: turn.title };
    if (turn.state === 'wait') {
      await deps.clock.sleep(pollMs);
      continue;
    }
    // A demand that was interrupted may have been carried out: look before doing it again.
    const lost = turn.state === 'again' ? await look(client, demand, turn.startedAt) : undefined;
    if (lost) return settle(deps, demand, lost);
    return createNow(deps, client, demand, turn.startedAt);
  }
}

type Turn =
  | { readonly state: 'first' | 'again'; readonly startedAt: string }
  | { readonly state: 'wait' }
  | { readonly state: 'created'; readonly recordId: string | null; readonly title: string };

function takeTurn(deps: InboxDeps, demand: Demand): Promise<Turn> {
  return deps.db.transaction(async (tx): Promise<Turn> => {
    const now = timeText(deps.clock);
    const inserted = await tx.query(
      `insert into record_request (company_id, id, conversation_id, type, title, state, record_id, started_at)
       values (?, ?, ?, ?, ?, 'creating', null, ?) on conflict do nothing returning id`,
      [demand.companyId, demand.key, demand.conversationId, demand.type, demand.title, now],
    );
    if (inserted.length > 0) return { state: 'first', startedAt: now };
    const row = await tx.one<RecordRequestRow>('select * from record_request where company_id = ? and id = ?', [
      demand.companyId,
      demand.key,
    ]);
    if (row!.state === 'created') return { state: 'created', recordId: row!.recordId, title: row!.title };
    if (row!.state === 'creating' && row!.startedAt > later(now, -underWayMs)) return { state: 'wait' };
    const taken = await tx.query(
      `update record_request set state = 'creating', title = ?, started_at = ?
       where company_id = ? and id = ? and state = ? and started_at = ? returning id`,
      [demand.title, now, demand.companyId, demand.key, row!.state, row!.startedAt],
    );
    if (taken.length === 0) return { state: 'wait' };
    return row!.state === 'failed' ? { state: 'first', startedAt: now } : { state: 'again', startedAt: row!.startedAt };
  });
}

async function createNow(
  deps: InboxDeps,
  client: PipedriveClient,
  demand: Demand,
  startedAt: string,
): Promise<CreatedRecord> {
  try {
    return await settle(deps, demand, await demand.create());
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
    if (error.kind === 'unknown') {
      for (let time = 0; time < lookTimes; time += 1) {
        const found = await look(client, demand, startedAt).catch(() => undefined);
        if (found) return settle(deps, demand, found);
        await deps.clock.sleep(pollMs * (time + 1));
      }
    }
    // Looked and not found, or certainly not done: the next try may begin afresh.
    await deps.db.transaction((tx) =>
      tx.query(`update record_request set state = ?, started_at = ? where company_id = ? and id = ?`, [
        error.kind === 'unknown' ? 'creating' : 'failed',
        error.kind === 'unknown' ? later(startedAt, -underWayMs) : startedAt,
        demand.companyId,
        demand.key,
      ]),
    );
    throw error;
  }
}

function look(client: PipedriveClient, demand: Demand, since: string): Promise<CreatedRecord | undefined> {
  return findCreated(client, demand.type, { title: demand.title, personId: demand.personId, since });
}

async function settle(deps: InboxDeps, demand: Demand, created: CreatedRecord): Promise<CreatedRecord> {
  await deps.db.transaction((tx) =>
    tx.query(`update record_request set state = 'created', record_id = ?, title = ? where company_id = ? and id = ?`, [
      created.recordId,
      created.title,
      demand.companyId,
      demand.key,
    ]),
  );
  return created;
}
