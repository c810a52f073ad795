// The call that takes a file to be sent.
import type { InboxDeps } from '../../inbox/deps.ts';
import { keepUpload } from '../../inbox/uploads.ts';
import type { Handlers } from '../handler.ts';

export function attachmentCalls(inbox: InboxDeps): Handlers {
  return {
    uploadAttachment: async ({ viewer, file }) => {
      const { id, name, contentType, size, kind } = await keepUpload(inbox, viewer, file);
      return { status: 201, body: { id, name, contentType, size, kind } };
    },
  };
}
