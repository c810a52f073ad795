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

/** Whether conversations may be given to a user: he has the app, and has not said that he is away. */
export async function isAssignable(tx: Tx, companyId: string, userId: string): Promise<boolean> {
  const user = await tx.one(
    `select 1 from app_user u join installation i on i.company_id = u.company_id and i.user_id = u.id
     where u.company_id = ? and u.id = ? and u.available = 1`,
    [companyId, userId],
  );
  return user !== undefined;
}
