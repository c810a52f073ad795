// Saved replies (V12): the company's, which admins write and everybody uses, and each user's own.
// `{contact}` and `{user}` in a text stand for names and are put in where it is inserted, before the user sends it.
import { timeText } from '../base/clock.ts';
import { UserError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { requireAdmin, type Viewer } from '../companies/access.ts';
import { audit } from '../companies/audit.ts';
import type { Reader, Tx } from '../db/database.ts';
import { SavedReply, type SavedReplyRow } from '../db/tables.ts';
import type { SavedReply as Shape, SavedReplyRequest } from '../web/contract.ts';
import { cleanText } from './clean-text.ts';
import type { InboxDeps } from './deps.ts';

/** So many a company and user can still look through; more is a mistake of a script. */
const maxReplies = 500;

/** All this user may insert, by name. */
export async function listSavedReplies(reader: Reader, viewer: Viewer): Promise<Shape[]> {
  const rows = await reader.query<SavedReplyRow>(
    'select * from saved_reply where company_id = ? and (user_id is null or user_id = ?) order by name, id',
    [viewer.companyId, viewer.userId],
  );
  return rows.map(shapeOf);
}

export function createSavedReply(deps: InboxDeps, viewer: Viewer, wanted: SavedReplyRequest): Promise<Shape> {
  return deps.db.transaction(async (tx) => {
    requireRight(viewer, wanted.scope);
    await requireRoom(tx, viewer);
    const now = timeText(deps.clock);
    const row: SavedReplyRow = {
      id: newId(),
      companyId: viewer.companyId,
      userId: wanted.scope === 'company' ? null : viewer.userId,
      name: cleanText(wanted.name),
      text: cleanText(wanted.text),
      createdAt: now,
      updatedAt: now,
    };
    await tx.insert(SavedReply, row);
    await note(deps, tx, viewer, 'saved_reply_created', row);
    return shapeOf(row);
  });
}

export function changeSavedReply(
  deps: InboxDeps,
  viewer: Viewer,
  id: string,
  wanted: SavedReplyRequest,
): Promise<Shape> {
  return deps.db.transaction(async (tx) => {
    const before = await savedReplyFor(tx, viewer, id);
    requireRight(viewer, shapeOf(before).scope);
    requireRight(viewer, wanted.scope);
    const after = await tx.one<SavedReplyRow>(
      'update saved_reply set name = ?, text = ?, user_id = ?, updated_at = ? where id = ? returning *',
      [
        cleanText(wanted.name),
        cleanText(wanted.text),
        wanted.scope === 'company' ? null : viewer.userId,
        timeText(deps.clock),
        id,
      ],
    );
    await note(deps, tx, viewer, 'saved_reply_changed', before.userId === null ? before : after!);
    return shapeOf(after!);
  });
}

export function removeSavedReply(deps: InboxDeps, viewer: Viewer, id: string): Promise<void> {
  return deps.db.transaction(async (tx) => {
    const row = await savedReplyFor(tx, viewer, id);
    requireRight(viewer, shapeOf(row).scope);
    await tx.query('delete from saved_reply where id = ?', [id]);
    await note(deps, tx, viewer, 'saved_reply_removed', row);
  });
}

/** The company's or his own; those of others do not exist for him. */
async function savedReplyFor(tx: Tx, viewer: Viewer, id: string): Promise<SavedReplyRow> {
  const row = await tx.one<SavedReplyRow>(
    'select * from saved_reply where id = ? and company_id = ? and (user_id is null or user_id = ?)',
    [id, viewer.companyId, viewer.userId],
  );
  if (!row) throw new UserError('not_found');
  return row;
}

function requireRight(viewer: Viewer, scope: Shape['scope']): void {
  if (scope === 'company') requireAdmin(viewer);
}

async function requireRoom(tx: Tx, viewer: Viewer): Promise<void> {
  const row = await tx.one<{ count: number }>(
    `select cast(count(*) as integer) as count from saved_reply
     where company_id = ? and (user_id is null or user_id = ?)`,
    [viewer.companyId, viewer.userId],
  );
  if ((row?.count ?? 0) >= maxReplies) throw new UserError('conflict', { max: maxReplies });
}

/** What a user keeps for himself is nobody's administration (O7). */
async function note(deps: InboxDeps, tx: Tx, viewer: Viewer, act: string, row: SavedReplyRow): Promise<void> {
  if (row.userId !== null) return;
  const { companyId, userId } = viewer;
  await audit(deps, tx, { companyId, userId, act, details: { savedReplyId: row.id } });
}

function shapeOf({ id, name, text, userId }: SavedReplyRow): Shape {
  return { id, name, text, scope: userId === null ? 'company' : 'personal' };
}
