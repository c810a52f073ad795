// May this viewer see it, may he change it? Asked in the same query that loads the thing (A1, A7, A8).
import { UserError } from '../base/errors.ts';
import type { Value } from '../db/database.ts';

/** The user behind the current request. */
export interface Viewer {
  readonly companyId: string;
  readonly userId: string;
  readonly name: string;
  readonly language: string;
  readonly timeZone: string;
  /** Account-settings access in Pipedrive (A7). */
  readonly isAdmin: boolean;
  readonly sessionId: string;
  readonly kind: 'extension' | 'page';
}

/** A condition with its parameters, to be put into a `where`. */
export interface Condition {
  readonly sql: string;
  readonly parameters: readonly Value[];
}

/** True for a channel (under the alias `ch`) of the viewer's company that is shared or his own (A8). */
export function visibleChannel(viewer: Pick<Viewer, 'companyId' | 'userId'>): Condition {
  return {
    sql: `(ch.company_id = ? and (ch.visibility = 'shared' or ch.owner_id = ?))`,
    parameters: [viewer.companyId, viewer.userId],
  };
}

export function requireAdmin(viewer: Viewer): void {
  if (!viewer.isAdmin) throw new UserError('forbidden', { needs: 'admin' });
}

export function requireOwner(viewer: Viewer, channel: { ownerId: string }): void {
  if (channel.ownerId !== viewer.userId) throw new UserError('forbidden', { needs: 'owner' });
}
