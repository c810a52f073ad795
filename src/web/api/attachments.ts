// Calls about files: one that is to be sent, and one that could not be fetched.
import type { InboxDeps } from '../../inbox/deps.ts';
import { fetchAgain } from '../../inbox/fetch-again.ts';
import { readMessage, type MessageDeps } from '../../inbox/message-shape.ts';
import { keepUpload } from '../../inbox/uploads.ts';
import type { Handlers } from '../handler.ts';

export function attachmentCalls({ inbox, reading }: { inbox: InboxDeps; reading: MessageDeps }): Handlers {
  return {
    uploadAttachment: async ({ viewer, file }) => {
      const { id, name, contentType, size, kind } = await keepUpload(inbox, viewer, file);
      return { status: 201, body: { id, name, contentType, size, kind } };
    },
    fetchAgain: async ({ viewer, params }) => {
      const id = await fetchAgain(inbox, viewer, params.id!);
      return { status: 202, body: await inbox.db.read((reader) => readMessage(reader, reading, viewer, id)) };
    },
  };
}
