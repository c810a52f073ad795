// Calls about saved replies.
import type { InboxDeps } from '../../inbox/deps.ts';
import { changeSavedReply, createSavedReply, listSavedReplies, removeSavedReply } from '../../inbox/saved-replies.ts';
import { noContent, ok, type Handlers } from '../handler.ts';

export function savedReplyCalls(inbox: InboxDeps): Handlers {
  return {
    listSavedReplies: async ({ viewer }) =>
      ok({ data: await inbox.db.read((reader) => listSavedReplies(reader, viewer)), nextCursor: null }),
    createSavedReply: async ({ viewer, body }) => ({ status: 201, body: await createSavedReply(inbox, viewer, body) }),
    changeSavedReply: async ({ viewer, params, body }) => ok(await changeSavedReply(inbox, viewer, params.id!, body)),
    removeSavedReply: async ({ viewer, params }) => {
      await removeSavedReply(inbox, viewer, params.id!);
      return noContent;
    },
  };
}
