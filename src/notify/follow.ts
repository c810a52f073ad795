// What happens to a conversation of which users must be told. Decides who and by which way, inside the transaction, and
// enqueues; `push.ts` and `mail.ts` tell. Also withdraws what is no longer news.
import { timeText, type Clock } from '../base/clock.ts';
import { parseNotifications } from '../companies/settings.ts';
import type { Tx, Value } from '../db/database.ts';
import type { ConversationRow, NoticeRow } from '../db/tables.ts';
import { newsIn, type Follower, type Happening } from '../inbox/changes.ts';
import type { Presence } from '../inbox/presence.ts';
import type { Queue } from '../jobs/queue.ts';
import { followTrouble } from './admin-notices.ts';
import { messageTrigger, waysFor, type Trigger, type Way } from './decide.ts';
import { mailNotices } from './mail.ts';
import { refreshBrowser } from './push.ts';

export interface NoticeFollowDeps {
  readonly queue: Queue;
  readonly clock: Clock;
  readonly presence: Presence;
  /** Whether there is a mail server, and a key for Web Push. */
  readonly mails: boolean;
  readonly pushes: boolean;
  readonly mailDebounceMs: number;
}

interface Recipient {
  readonly userId: string;
  readonly trigger: Trigger;
  readonly ways: readonly Way[];
}

export function createNoticeFollower(deps: NoticeFollowDeps): Follower {
  return async (tx, happenings) => {
    let news: News[] = [];
    for (const happening of happenings) {
      const eventId = newsIn(happening);
      if (eventId !== undefined) news.push({ happening: happening as NewsHappening, eventId });
      if (mayEndNews(happening)) {
        await raise(deps, tx, news);
        news = [];
        if (happening.kind === 'conversation.joined') await moveNotices(tx, happening);
        await withdraw(deps, tx, happening);
      }
      await followTrouble(deps, tx, happening);
    }
    await raise(deps, tx, news);
  };
}

type NewsHappening = Extract<Happening, { kind: 'message.received' | 'conversation.changed' }>;

interface News {
  readonly happening: NewsHappening;
  readonly eventId: string;
}

async function raise(deps: NoticeFollowDeps, tx: Tx, news: readonly News[]): Promise<void> {
  if (news.length === 0) return;
  const now = timeText(deps.clock);
  const audiences = new Map<string, readonly Member[]>();
  const notices = new Map<string, NewNotice & Pick<Happening, 'correlationId'>>();
  for (const { happening, eventId } of news) {
    const { conversation } = happening;
    const known = audiences.get(conversation.channelId);
    const audience = known ?? (await audienceOf(tx, conversation));
    audiences.set(conversation.channelId, audience);
    const isMessage = happening.kind === 'message.received';
    for (const { userId, trigger, ways } of recipientsOf(deps, happening, audience)) {
      for (const via of ways) {
        const key = `${conversation.id} ${userId} ${via}`;
        const earlier = notices.get(key);
        notices.set(key, {
          companyId: conversation.companyId,
          conversationId: conversation.id,
          userId,
          trigger,
          via,
          eventId,
          eventAt: now,
          afterNumber: earlier?.afterNumber ?? conversation.inboundCount - (isMessage ? 1 : 0),
          byName: (isMessage ? null : happening.by.name) ?? earlier?.byName ?? null,
          ...(happening.correlationId === undefined ? {} : { correlationId: happening.correlationId }),
        });
      }
    }
  }
  const rows = [...notices.values()];
  for (let start = 0; start < rows.length; start += 50) await putNotices(tx, rows.slice(start, start + 50));
  await pushTo(deps, tx, rowsBy('desktop', rows));
  const mailed = new Map(rowsBy('email', rows).map((row) => [`${row.companyId}:${row.userId}`, row]));
  for (const [key, { companyId, userId, correlationId }] of mailed) {
    await deps.queue.enqueue(
      tx,
      mailNotices,
      { companyId, userId },
      {
        key,
        correlationId,
        delayMs: deps.mailDebounceMs,
        maxWaitMs: deps.mailDebounceMs,
      },
    );
  }
}

function rowsBy<Row extends NewNotice>(way: Way, rows: readonly Row[]): Row[] {
  return rows.filter(({ via }) => via === way);
}

interface Member {
  readonly id: string;
  readonly notifications: string;
  readonly available: number;
}

/** Everybody with the app who may see the channel (A8). */
function audienceOf(tx: Tx, { companyId, channelId }: ConversationRow): Promise<Member[]> {
  return tx.query<Member>(
    `select u.id, u.notifications, u.available from app_user u
     join installation i on i.company_id = u.company_id and i.user_id = u.id
     join channel ch on ch.id = ? and (ch.visibility = 'shared' or ch.owner_id = u.id)
     where u.company_id = ?`,
    [channelId, companyId],
  );
}

/** Whom of them a piece of news concerns, with what their switches and their whereabouts leave. */
function recipientsOf(deps: NoticeFollowDeps, happening: NewsHappening, audience: readonly Member[]): Recipient[] {
  const { conversation } = happening;
  const onlyAssignee = happening.kind === 'conversation.changed';
  const concerned = onlyAssignee ? audience.filter(({ id }) => id === conversation.assigneeId) : audience;
  return concerned.flatMap(({ id: userId, notifications, available }) => {
    const trigger = onlyAssignee ? 'assigned' : messageTrigger(conversation, userId);
    const ways = waysFor(trigger, {
      switches: parseNotifications(notifications),
      available: available === 1,
      focused: deps.presence.isFocused(conversation.companyId, conversation.id, userId),
    }).filter((way) => way === 'desktop' || deps.mails);
    return ways.length === 0 ? [] : [{ userId, trigger, ways }];
  });
}

type NewNotice = Omit<NoticeRow, 'state' | 'toldAt' | 'mailId' | 'mailJob'>;

/** The newer event takes the older one's place; together they are one notice until the user was told or has read. */
async function putNotices(tx: Tx, rows: readonly NewNotice[]): Promise<void> {
  const values = rows.flatMap((row): Value[] => [
    row.companyId,
    row.userId,
    row.conversationId,
    row.via,
    row.trigger,
    row.eventId,
    row.eventAt,
    row.afterNumber,
    row.byName,
  ]);
  await tx.query(
    `insert into notice (company_id, user_id, conversation_id, via, trigger, event_id, event_at, after_number, by_name, state)
     values ${rows.map(() => `(?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending')`).join(', ')}
     on conflict (conversation_id, user_id, company_id, via) do update set
       trigger = excluded.trigger, event_id = excluded.event_id, event_at = excluded.event_at, state = 'pending',
       after_number = case when notice.state = 'pending' then notice.after_number else excluded.after_number end,
       by_name = case when notice.state = 'pending' then coalesce(excluded.by_name, notice.by_name) else excluded.by_name end`,
    values,
  );
}

async function pushTo(
  deps: NoticeFollowDeps,
  tx: Tx,
  rows: readonly (NewNotice & Pick<Happening, 'correlationId'>)[],
): Promise<void> {
  if (!deps.pushes || rows.length === 0) return;
  const userIds = [...new Set(rows.map(({ userId }) => userId))];
  const browsers = await tx.query<{ id: string; companyId: string; userId: string }>(
    `select id, company_id, user_id from push_subscription where user_id in (${userIds.map(() => '?').join(', ')})`,
    userIds,
  );
  for (const { companyId, userId, conversationId, correlationId } of rows) {
    const own = browsers.filter((browser) => browser.companyId === companyId && browser.userId === userId);
    for (const { id } of own) await refresh(deps, tx, id, { conversationId, correlationId });
  }
}

function refresh(
  deps: Pick<NoticeFollowDeps, 'queue'>,
  tx: Tx,
  subscriptionId: string,
  { conversationId, correlationId }: { conversationId: string; correlationId?: string | undefined },
): Promise<void> {
  const payload = { subscriptionId, conversationId };
  const key = `${subscriptionId}:${conversationId}`;
  return deps.queue.enqueue(tx, refreshBrowser, payload, { key, correlationId });
}

/** What was not told yet of a conversation that became part of another is told with that one: all that is unread there (C11). */
async function moveNotices(
  tx: Tx,
  { conversation, from }: Extract<Happening, { kind: 'conversation.joined' }>,
): Promise<void> {
  await tx.query(
    `insert into notice (company_id, user_id, conversation_id, via, trigger, event_id, event_at, after_number, by_name, state)
     select company_id, user_id, ?, via, trigger, event_id, event_at, 0, by_name, 'pending' from notice
     where conversation_id = ? and state = 'pending'
     on conflict (conversation_id, user_id, company_id, via) do update set
       trigger = excluded.trigger, event_id = excluded.event_id, event_at = excluded.event_at, state = 'pending',
       after_number = 0, by_name = excluded.by_name`,
    [conversation.id, from],
  );
  await tx.query('delete from notice where conversation_id = ?', [from]);
}

/** Has every browser that shows something of a conversation look whether it still stands, and forgets what was read. */
async function withdraw(deps: NoticeFollowDeps, tx: Tx, happening: Happening): Promise<void> {
  const { conversationId, readBy } = lookAgain(happening);
  if (conversationId === undefined) return;
  if (readBy !== undefined) {
    await tx.query(
      `update notice set state = 'withdrawn' where conversation_id = ? and user_id = ? and state = 'pending'
         and exists (select 1 from conversation c join read_mark r on r.conversation_id = c.id and r.user_id = notice.user_id
           where c.id = notice.conversation_id and r.read_count >= c.inbound_count)`,
      [conversationId, readBy],
    );
  }
  if (happening.kind === 'conversation.deleted') {
    await tx.query('delete from notice where conversation_id = ?', [conversationId]);
  }
  if (!deps.pushes) return;
  const shown = await tx.query<{ subscriptionId: string }>(
    `select p.subscription_id from pushed_notice p join push_subscription s on s.id = p.subscription_id
     where p.conversation_id = ? ${readBy === undefined ? '' : 'and s.user_id = ?'}`,
    readBy === undefined ? [conversationId] : [conversationId, readBy],
  );
  const { correlationId } = happening;
  for (const { subscriptionId } of shown) await refresh(deps, tx, subscriptionId, { conversationId, correlationId });
}

function mayEndNews(happening: Happening): boolean {
  return lookAgain(happening).conversationId !== undefined;
}

/** The conversation of which notices may have become old news, and who has read it if that is why. */
function lookAgain(happening: Happening): { conversationId?: string; readBy?: string } {
  switch (happening.kind) {
    case 'conversation.read':
      return { conversationId: happening.conversation.id, readBy: happening.userId };
    case 'conversation.deleted':
      return { conversationId: happening.conversationId };
    case 'conversation.joined':
      return { conversationId: happening.from };
    case 'conversation.changed':
    case 'message.queued':
      return { conversationId: happening.conversation.id };
    case 'message.received':
      return happening.message.direction === 'outbound' ? { conversationId: happening.conversation.id } : {};
    default:
      return {};
  }
}
