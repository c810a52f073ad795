// Calls about messages: a thread's pages, answering, resending, removing.
import type { Viewer } from '../../companies/access.ts';
import { conversationFor, removeFailedMessage } from '../../inbox/conversation.ts';
import type { InboxDeps } from '../../inbox/deps.ts';
import { listMessages, readMessage, type MessageDeps } from '../../inbox/message-shape.ts';
import { reply, resend } from '../../inbox/reply.ts';
import type { SendRequest } from '../contract.ts';
import { noContent, ok, type CallAnswer, type Handlers } from '../handler.ts';

export function messageCalls(deps: { inbox: InboxDeps; reading: MessageDeps }): Handlers {
  const { inbox, reading } = deps;
  const accepted = async (viewer: Viewer, id: string): Promise<CallAnswer> => ({
    status: 202,
    body: await inbox.db.read((reader) => readMessage(reader, reading, viewer, id)),
  });
  return {
    listMessages: async ({ viewer, params, query }) =>
      ok(
        await inbox.db.read(async (reader) => {
          const { id } = await conversationFor(reader, viewer, params.id!);
          return listMessages(reader, reading, viewer, id, query);
        }),
      ),
    sendMessage: async ({ viewer, params, body }) => {
      const wanted = body as SendRequest;
      const id = await reply(inbox, viewer, {
        conversationId: params.id!,
        clientMessageId: wanted.clientMessageId,
        text: wanted.text ?? '',
        attachmentIds: wanted.attachmentIds ?? [],
        template: wanted.template,
        seenThrough: wanted.seenThrough,
      });
      return accepted(viewer, id);
    },
    resendMessage: async ({ viewer, params }) => accepted(viewer, await resend(inbox, viewer, params.id!)),
    removeMessage: async ({ viewer, params }) => {
      await removeFailedMessage(inbox, viewer, params.id!);
      return noContent;
    },
  };
}
