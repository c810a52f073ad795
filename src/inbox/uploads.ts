// Files a user hands over to be sent: kept until a message takes them, and removed when none has within a day.
import { z } from 'zod';
import { timeText } from '../base/clock.ts';
import { UserError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import type { Viewer } from '../companies/access.ts';
import type { Tx } from '../db/database.ts';
import { Attachment, type AttachmentRow } from '../db/tables.ts';
import { defineTask } from '../jobs/queue.ts';
import { safeFileName } from '../media/links.ts';
import { cleanText } from './clean-text.ts';
import type { InboxDeps } from './deps.ts';

const unsentLifeMs = 24 * 3_600_000;

export async function keepUpload(
  deps: InboxDeps,
  viewer: Viewer,
  file: { path: string; name: string; size: number } | undefined,
): Promise<AttachmentRow> {
  if (!file) throw new UserError('invalid', { fields: { file: 'required' } });
  const name = safeFileName(cleanText(file.name));
  if (file.size === 0) throw new UserError('attachment_refused', { reason: 'empty', name });
  const kept = await deps.keepFile(file.path, name);
  const attachment: AttachmentRow = {
    id: newId(),
    companyId: viewer.companyId,
    messageId: null,
    position: 0,
    kind: kindOf(kept.contentType),
    contentType: kept.contentType,
    name,
    size: kept.size,
    width: kept.width,
    height: kept.height,
    durationMs: null,
    state: 'ready',
    sourceUrl: null,
    mediaKey: kept.mediaKey,
    uploadedBy: viewer.userId,
    createdAt: timeText(deps.clock),
  };
  await deps.db.transaction(async (tx) => {
    await tx.insert(Attachment, attachment);
    await deps.queue.enqueue(tx, discardUpload, { attachmentId: attachment.id }, { delayMs: unsentLifeMs });
  });
  return attachment;
}

/** Uploads of this user that no message has yet, in the order asked for; each may be taken once. */
export async function unsentUploads(tx: Tx, viewer: Viewer, ids: readonly string[]): Promise<AttachmentRow[]> {
  if (ids.length === 0) return [];
  const rows = await tx.query<AttachmentRow>(
    `select * from attachment where id in (${ids.map(() => '?').join(', ')})
       and company_id = ? and uploaded_by = ? and message_id is null and state = 'ready'`,
    [...ids, viewer.companyId, viewer.userId],
  );
  const found = ids.map((id) => rows.find((row) => row.id === id));
  if (new Set(ids).size < ids.length || found.some((row) => !row))
    throw new UserError('invalid', { fields: { attachmentIds: 'unknown' } });
  return found as AttachmentRow[];
}

export const discardUpload = defineTask(
  'discard-upload',
  z.object({ attachmentId: z.string() }),
  async (deps: InboxDeps, { attachmentId }) => {
    const gone = await deps.db.transaction((tx) =>
      tx.one<{ mediaKey: string | null }>(
        'delete from attachment where id = ? and message_id is null returning media_key',
        [attachmentId],
      ),
    );
    if (gone?.mediaKey) await deps.removeMedia(gone.mediaKey);
  },
);

function kindOf(contentType: string): AttachmentRow['kind'] {
  const [main] = contentType.split('/');
  return main === 'image' || main === 'video' || main === 'audio' ? main : 'file';
}
