// A notice as it stands now: read together with its conversation, contact, channel and user, and put into words.
import { text } from '../base/texts.ts';
import { parseNotifications } from '../companies/settings.ts';
import type { Reader, Value } from '../db/database.ts';
import type { ConversationRow, MessageKind, NoticeRow } from '../db/tables.ts';
import { previewOf } from '../inbox/queries.ts';
import { stillStands } from './decide.ts';

interface NoticeViewRow extends NoticeRow {
  status: ConversationRow['status'];
  assigneeId: string | null;
  deletedAt: string | null;
  inboundCount: number;
  replyUntil: string | null;
  provider: 'messenger' | 'whatsapp';
  channelName: string;
  contactName: string;
  language: string;
  notifications: string;
  mayKnow: number;
  readCount: number;
  answered: number;
  lastKind: MessageKind | null;
  lastText: string | null;
}

/** A notice with all that its words are made of. */
export type NoticeView = Omit<NoticeViewRow, 'mayKnow' | 'answered' | 'notifications'> & {
  /** Whether it is still news (decide.ts). */
  readonly stands: boolean;
  /** How many messages it stands for. */
  readonly newCount: number;
};

/** Notices that fulfil `condition`, written for the alias `n`, oldest first. */
export async function readNotices(
  reader: Pick<Reader, 'query'>,
  condition: string,
  parameters: readonly Value[],
): Promise<NoticeView[]> {
  const rows = await reader.query<NoticeViewRow>(
    `select n.*, cv.status, cv.assignee_id, cv.deleted_at, cv.inbound_count, cv.reply_until,
       ch.provider, ch.name as channel_name, ct.name as contact_name, u.language, u.notifications,
       case when i.user_id is not null and (ch.visibility = 'shared' or ch.owner_id = n.user_id) then 1 else 0 end as may_know,
       coalesce(rm.read_count, 0) as read_count,
       case when exists (select 1 from message a where a.conversation_id = n.conversation_id and a.direction = 'outbound'
         and a.status <> 'failed' and a.created_at > n.event_at) then 1 else 0 end as answered,
       m.kind as last_kind, substr(m.text, 1, 300) as last_text
     from notice n
     join conversation cv on cv.id = n.conversation_id
     join channel ch on ch.id = cv.channel_id
     join contact ct on ct.id = cv.contact_id
     join app_user u on u.company_id = n.company_id and u.id = n.user_id
     left join installation i on i.company_id = n.company_id and i.user_id = n.user_id
     left join read_mark rm on rm.conversation_id = n.conversation_id and rm.user_id = n.user_id
     left join message m on m.id = n.event_id
     where ${condition} order by n.event_at, n.conversation_id`,
    parameters,
  );
  return rows.map(({ mayKnow, answered, notifications, ...row }) => ({
    ...row,
    newCount: Math.max(0, row.inboundCount - Math.max(row.afterNumber, row.readCount)),
    stands: stillStands({
      notice: row,
      conversation: row,
      userId: row.userId,
      switches: parseNotifications(notifications),
      mayKnow: mayKnow === 1,
      readCount: row.readCount,
      answered: answered === 1,
    }),
  }));
}

/** What a user is to be shown of a conversation on his desktop. */
export async function readNoticeOf(
  reader: Pick<Reader, 'query'>,
  user: { companyId: string; userId: string },
  conversationId: string,
): Promise<NoticeView | undefined> {
  return (await readNoticesOf(reader, user, [conversationId])).get(conversationId);
}

/** The same of several conversations, by their ids. */
export async function readNoticesOf(
  reader: Pick<Reader, 'query'>,
  user: { companyId: string; userId: string },
  conversationIds: readonly string[],
): Promise<Map<string, NoticeView>> {
  if (conversationIds.length === 0) return new Map();
  const marks = conversationIds.map(() => '?').join(', ');
  const condition = `n.conversation_id in (${marks}) and n.user_id = ? and n.company_id = ? and n.via = 'desktop'`;
  const found = await readNotices(reader, condition, [...conversationIds, user.userId, user.companyId]);
  return new Map(found.map((notice) => [notice.conversationId, notice]));
}

export interface NoticeWords {
  readonly title: string;
  readonly body: string;
}

/** Title and body of a desktop notice, in the user's language. */
export function noticeWords(view: NoticeView): NoticeWords {
  const title = view.newCount > 1 ? `${view.contactName} (${view.newCount})` : view.contactName;
  if (view.trigger === 'assigned') {
    return { title: view.contactName, body: text(view.language, 'notify.assignedBy', { name: view.byName ?? '' }) };
  }
  return { title, body: view.lastKind === null ? '' : previewOf(view.language, view.lastKind, view.lastText ?? '') };
}
