// What becomes of a link when its record does: broken with the reason, or moved on to another record (L6).
import { timeText, type Clock } from '../base/clock.ts';
import type { Tx } from '../db/database.ts';
import type { LinkRow } from '../db/tables.ts';
import { theApp, type Changes } from './changes.ts';

export interface LinkStateDeps {
  readonly clock: Clock;
  readonly changes: Changes;
}

export type BrokenReason = 'deleted' | 'merged' | 'forbidden';

/** Notes stop; the link stays and says why, until somebody mends or removes it. */
export async function breakLink(deps: LinkStateDeps, tx: Tx, linkId: string, reason: BrokenReason): Promise<void> {
  const link = await tx.one<LinkRow>(
    `update link set state = 'broken', reason = ?, checked_at = ?
     where id = ? and state = 'active' and removed_at is null returning *`,
    [reason, timeText(deps.clock), linkId],
  );
  if (!link) return;
  const conversation = { id: link.conversationId, companyId: link.companyId };
  await deps.changes.record(tx, { kind: 'link.changed', conversation, link, act: 'link_broken', by: theApp });
}
