// The log of administrative acts (O7).
import { timeText, type Clock } from '../base/clock.ts';
import { newId } from '../base/ids.ts';
import type { Tx } from '../db/database.ts';
import { AuditEntry } from '../db/tables.ts';

export function audit(
  deps: { clock: Clock },
  tx: Tx,
  entry: { companyId: string; userId: string | null; act: string; details?: object },
): Promise<void> {
  return tx.insert(AuditEntry, {
    id: newId(),
    companyId: entry.companyId,
    userId: entry.userId,
    act: entry.act,
    details: JSON.stringify(entry.details ?? {}),
    createdAt: timeText(deps.clock),
  });
}
