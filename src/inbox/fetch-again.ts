// A file that could not be fetched is asked for once more, because somebody wants it (C6).
import { UserError } from '../base/errors.ts';
import type { Viewer } from '../companies/access.ts';
import type { MessageRow } from '../db/tables.ts';
import { conversationFor } from './conversation.ts';
import type { InboxDeps } from './deps.ts';
import { fetchMedia, recordMessage } from './fetch-media.ts';

/** Answers the id of its message. Throws `conflict` for a file that is here, or on its way. */
export function fetchAgain(deps: InboxDeps, viewer: Viewer, attachmentId: string): Promise<string> {
  return deps.db.transaction(async (tx) => {
    const message = await tx.one<MessageRow>(
      'select m.* from message m join attachment a on a.message_id = m.id where a.id = ? and a.company_id = ?',
      [attachmentId, viewer.companyId],
    );
    if (!message) throw new UserError('not_found');
    await conversationFor(tx, viewer, message.conversationId);
    const again = await tx.query(
      `update attachment set state = 'pending' where id = ? and state = 'failed' and source_url is not null returning id`,
      [attachmentId],
    );
    if (again.length === 0) throw new UserError('conflict');
    await deps.queue.enqueue(tx, fetchMedia, { attachmentId });
    await recordMessage(deps, tx, message.id);
    return message.id;
  });
}
