// Whether conversations may be assigned to a user: a switch he sets, never a guess (V3).
import { UserError } from '../base/errors.ts';
import type { Tx } from '../db/database.ts';
import { requireAdmin, type Viewer } from './access.ts';

/** For oneself, or by an admin for others. */
export async function setAvailability(tx: Tx, viewer: Viewer, userId: string, available: boolean): Promise<void> {
  if (userId !== viewer.userId) requireAdmin(viewer);
  const changed = await tx.query('update app_user set available = ? where company_id = ? and id = ? returning id', [
    available ? 1 : 0,
    viewer.companyId,
    userId,
  ]);
  if (changed.length === 0) throw new UserError('not_found');
}
