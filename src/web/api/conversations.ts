// Calls about conversations: lists, one, and what a user does to it.
import { UserError } from '../../base/errors.ts';
import type { Viewer } from '../../companies/access.ts';
import { whomToAsk } from '../../inbox/ask-owner.ts';
import {
  assign,
  changeStatus,
  conversationFor,
  deleteConversation,
  markRead,
  measure,
} from '../../inbox/conversation.ts';
import type { InboxDeps } from '../../inbox/deps.ts';
import { countConversations } from '../../inbox/counts.ts';
import { enqueueHint } from '../../inbox/hint.ts';
import type { LinkedRecord, PlaceFilter } from '../../inbox/places.ts';
import type { Presence } from '../../inbox/presence.ts';
import { listConversations, listTimeline, readConversation, type ReadDeps } from '../../inbox/queries.ts';
import type { PipedriveClient } from '../../pipedrive/client.ts';
import { recordsOfOrganization } from '../../pipedrive/records.ts';
import { noContent, ok, type CallAnswer, type Handlers } from '../handler.ts';

export interface ConversationCallDeps {
  readonly inbox: InboxDeps;
  readonly reading: ReadDeps;
  readonly presence: Presence;
  readonly pipedriveFor: (user: { companyId: string; userId: string }) => PipedriveClient;
}

interface Asked {
  readonly recordType?: LinkedRecord['type'] | 'organization';
  readonly recordId?: string;
}

export function conversationCalls({ inbox, reading, presence, pipedriveFor }: ConversationCallDeps): Handlers {
  const { db } = inbox;
  const shown = async (viewer: Viewer, id: string): Promise<CallAnswer> => {
    const [conversation, isPrivate] = await db.read(async (reader) => {
      const readable = await readConversation(reader, reading, viewer, id);
      return [readable, readable ? undefined : await whomToAsk(reader, viewer, id)];
    });
    if (!conversation) throw new UserError('not_found', isPrivate && { private: isPrivate });
    return ok(conversation);
  };
  return {
    listConversations: async ({ viewer, query }) => {
      const { recordType, recordId, ...filter } = query as PlaceFilter & Asked;
      const records = recordType && recordId ? await recordsOf(pipedriveFor, viewer, recordType, recordId) : undefined;
      return ok(await db.read((reader) => listConversations(reader, reading, viewer, { ...filter, records })));
    },
    countConversations: async ({ viewer }) => ok(await db.read((reader) => countConversations(reader, viewer))),
    getConversation: ({ viewer, params }) => shown(viewer, params.id!),
    deleteConversation: async ({ viewer, params }) => {
      await deleteConversation(inbox, viewer, params.id!);
      return noContent;
    },
    measureConversation: async ({ viewer, params }) => ok(await measure(inbox, viewer, params.id!)),
    assignConversation: async ({ viewer, params, body }) => {
      const wanted = body as { userId: string | null; expected?: string | null };
      await assign(inbox, viewer, { conversationId: params.id!, ...wanted });
      return shown(viewer, params.id!);
    },
    changeStatus: async ({ viewer, params, body }) => {
      await changeStatus(inbox, viewer, { conversationId: params.id!, ...(body as { status: 'open' | 'closed' }) });
      return shown(viewer, params.id!);
    },
    markRead: async ({ viewer, params, body }) => {
      await markRead(inbox, viewer, { conversationId: params.id!, ...(body as { through: string }) });
      return shown(viewer, params.id!);
    },
    showPresence: async ({ viewer, params, body }) => {
      const conversation = await db.read((reader) => conversationFor(reader, viewer, params.id!));
      const sign = body as { typing: boolean; focused: boolean };
      const { userId, name, sessionId } = viewer;
      presence.show(viewer.companyId, conversation.id, { ...sign, userId, name, sessionId });
      if (sign.typing) await db.transaction((tx) => enqueueHint(inbox, tx, conversation, 'typing'));
      return noContent;
    },
    listTimeline: async ({ viewer, params, query }) =>
      ok(
        await db.read(async (reader) => {
          const { id } = await conversationFor(reader, viewer, params.id!);
          return listTimeline(reader, viewer, id, query);
        }),
      ),
  };
}

/** We link nothing to organizations themselves: who and what belongs to one is Pipedrive's to say, to this very user. */
async function recordsOf(
  pipedriveFor: ConversationCallDeps['pipedriveFor'],
  viewer: Viewer,
  type: NonNullable<Asked['recordType']>,
  recordId: string,
): Promise<readonly LinkedRecord[]> {
  return type === 'organization' ? recordsOfOrganization(pipedriveFor(viewer), recordId) : [{ type, recordId }];
}
