// Server-sent events: the changes of a company, numbered, as this viewer may see them (V11). Resumes from the client's last number.
import type { ServerResponse } from 'node:http';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import { text } from '../base/texts.ts';
import type { Viewer } from '../companies/access.ts';
import { viewerOf } from '../companies/session.ts';
import type { Database, Reader } from '../db/database.ts';
import type { ChangeRow, UserRow } from '../db/tables.ts';
import type { Changes } from '../inbox/changes.ts';
import { readChannel } from '../inbox/channel-shape.ts';
import { readMessages, type MessageDeps } from '../inbox/message-shape.ts';
import type { Presence } from '../inbox/presence.ts';
import { readConversation, readConversations, type ReadDeps } from '../inbox/queries.ts';
import type { Conversation, Events, Message } from './contract.ts';
import { noticeWords, readNoticesOf, type NoticeView } from '../notify/notices.ts';

export interface StreamDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly changes: Changes;
  readonly presence: Presence;
  readonly reading: ReadDeps & MessageDeps;
}

export interface Streams {
  /** Takes over the response. Answers false when this user has too many streams open. */
  open(viewer: Viewer, token: string, after: string | undefined, response: ServerResponse): Promise<boolean>;
  closeAll(): void;
}

const batch = 200;
const heartbeatMs = 15_000;
const maxPerUser = 20;
/** For so long after it happened a notice is announced to a stream that resumes. */
const newsMs = 120_000;
/** A client that does not read is let go at this many bytes; it resumes by its number. */
const maxBuffered = 1_000_000;

export function createStreams(deps: StreamDeps): Streams {
  const open = new Set<{ viewer: Viewer; close: () => void }>();
  return {
    open: async (viewer, token, after, response) => {
      const own = [...open].filter(
        (stream) => stream.viewer.userId === viewer.userId && stream.viewer.companyId === viewer.companyId,
      );
      if (own.length >= maxPerUser) return false;
      const from = await startingPoint(deps, viewer.companyId, after);
      const stream = startStream(deps, viewer, token, from, response, () => {
        open.delete(stream);
        deps.metrics.streams.set(open.size);
      });
      open.add(stream);
      deps.metrics.streams.set(open.size);
      return true;
    },
    closeAll: () => open.forEach((stream) => stream.close()),
  };
}

/** The number to go on from, or `resync` when what follows it is no longer kept or it was never given. */
async function startingPoint(
  deps: StreamDeps,
  companyId: string,
  after: string | undefined,
): Promise<{ number: number; resync: boolean }> {
  return deps.db.read(async (reader) => {
    const company = await reader.one<{ changeNumber: number }>('select change_number from company where id = ?', [
      companyId,
    ]);
    const now = company?.changeNumber ?? 0;
    if (after === undefined || after === '') return { number: now, resync: false };
    const number = /^\d{1,15}$/.test(after) ? Number(after) : -1;
    if (number < 0 || number > now) return { number: now, resync: true };
    if (number === now) return { number, resync: false };
    const next = await reader.one('select 1 from change where company_id = ? and number = ?', [companyId, number + 1]);
    return next ? { number, resync: false } : { number: now, resync: true };
  });
}

function startStream(
  deps: StreamDeps,
  viewer: Viewer,
  token: string,
  from: { number: number; resync: boolean },
  response: ServerResponse,
  ended: () => void,
): { viewer: Viewer; close: () => void } {
  let last = from.number;
  let sending = false;
  let dirty = true;
  let closed = false;

  const close = (): void => {
    if (closed) return;
    closed = true;
    clearInterval(heartbeat);
    stopChanges();
    stopPresence();
    ended();
    response.end();
  };
  const write = (words: string): void => {
    if (closed) return;
    if (response.writableLength > maxBuffered) return close();
    response.write(words);
  };
  const send = (event: string, data: unknown, number?: number): void => {
    write(`${number === undefined ? '' : `id: ${number}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  };
  const pump = async (): Promise<void> => {
    dirty = true;
    if (sending) return;
    sending = true;
    try {
      while (dirty && !closed) {
        dirty = false;
        const count = await sendChanges();
        if (count === batch) dirty = true;
      }
    } catch (error) {
      deps.log.warn({ err: error }, 'a stream ended early');
      close();
    } finally {
      sending = false;
    }
  };
  const sendChanges = (): Promise<number> =>
    deps.db.read(async (reader) => {
      const rows = await reader.query<ChangeRow>(
        `select * from change where company_id = ? and number > ? order by number limit ${batch}`,
        [viewer.companyId, last],
      );
      // What changed several times is shown once, as it is now.
      const newest = new Map(rows.map((row) => [`${row.kind} ${row.conversationId} ${row.subjectId}`, row]));
      const shown = await readShown(deps, reader, viewer, [...newest.values()]);
      for (const row of rows) {
        if (newest.get(`${row.kind} ${row.conversationId} ${row.subjectId}`) === row) {
          const event = await eventOf(deps, reader, viewer, shown, row);
          if (event) send(event.name, event.data, row.number);
        }
        last = row.number;
      }
      return rows.length;
    });
  const checkRight = async (): Promise<void> => {
    const still = await deps.db.read((reader) => viewerOf(deps, reader, token)).catch(() => viewer);
    if (!still) close();
    else write(`: ${last}\n\n`);
  };

  response.writeHead(200, {
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-store, no-transform',
    'X-Accel-Buffering': 'no',
    Connection: 'keep-alive',
  });
  write(`retry: 2000\n: open\n\n`);
  if (from.resync) send('resync', {}, last);
  const stopChanges = deps.changes.onChange(viewer.companyId, () => void pump());
  const stopPresence = deps.presence.onPresence(viewer.companyId, (conversationId) => {
    void deps.db
      .read((reader) => readConversation(reader, deps.reading, viewer, conversationId))
      .then((visible) => {
        if (!visible) return;
        const users = deps.presence
          .of(conversationId)
          .filter((user) => user.userId !== viewer.userId)
          .map(({ userId, name, typing }) => ({ id: userId, name, typing }));
        send('presence', { conversationId, users });
      })
      .catch(() => close());
  });
  const heartbeat = setInterval(() => void checkRight(), heartbeatMs);
  response.on('close', close);
  void pump();
  return { viewer, close };
}

/** What the events of one look at the log show, read together: as few queries for two hundred changes as for one. */
interface Shown {
  readonly conversations: ReadonlyMap<string, Conversation>;
  readonly messages: ReadonlyMap<string, Message>;
  readonly notices: ReadonlyMap<string, NoticeView>;
}

async function readShown(deps: StreamDeps, reader: Reader, viewer: Viewer, rows: readonly ChangeRow[]): Promise<Shown> {
  const conversationsOf = (...kinds: string[]): string[] => [
    ...new Set(rows.filter((row) => kinds.includes(row.kind)).map((row) => row.conversationId!)),
  ];
  const messageIds = rows.filter((row) => row.kind === 'message.changed').map((row) => row.subjectId!);
  const conversationIds = conversationsOf('conversation.changed', 'message.changed', 'message.removed');
  return {
    conversations: await readConversations(reader, deps.reading, viewer, conversationIds),
    messages: await readMessages(reader, deps.reading, viewer, messageIds),
    notices: await readNoticesOf(reader, viewer, conversationsOf('notification')),
  };
}

/** The event for a change, or nothing when this viewer must not see it or it is gone. */
async function eventOf(
  deps: StreamDeps,
  reader: Reader,
  viewer: Viewer,
  shown: Shown,
  row: ChangeRow,
): Promise<{ name: string; data: unknown } | undefined> {
  switch (row.kind) {
    case 'conversation.changed': {
      // Only his own reading changes what a user sees.
      if (row.subjectId !== null && row.subjectId !== viewer.userId) return undefined;
      const conversation = shown.conversations.get(row.conversationId!);
      return conversation && { name: row.kind, data: { conversation } };
    }
    case 'message.changed': {
      const message = shown.conversations.has(row.conversationId!) && shown.messages.get(row.subjectId!);
      return message ? { name: row.kind, data: { message } } : undefined;
    }
    case 'message.removed': {
      const isThere = shown.conversations.has(row.conversationId!);
      return isThere ? { name: row.kind, data: { id: row.subjectId, conversationId: row.conversationId } } : undefined;
    }
    case 'conversation.deleted': {
      const channel = await readChannel(reader, deps.reading, viewer, row.subjectId!);
      return channel && { name: row.kind, data: { id: row.conversationId } };
    }
    case 'user.changed': {
      const user = await reader.one<UserRow>('select * from app_user where company_id = ? and id = ?', [
        viewer.companyId,
        row.subjectId,
      ]);
      return (
        user && {
          name: row.kind,
          data: {
            user: {
              id: user.id,
              name: user.name,
              avatarUrl: user.avatarUrl,
              available: user.available === 1,
              isAdmin: user.isAdmin === 1,
            },
          },
        }
      );
    }
    case 'channel.changed': {
      const channel = await readChannel(reader, deps.reading, viewer, row.subjectId!);
      return { name: row.kind, data: { id: row.subjectId, channel: channel ?? null } };
    }
    case 'owner.asked.reconnect':
    case 'owner.asked.share':
      return ownerAsked(reader, viewer, row);
    case 'notification': {
      // Told to those whom it was meant for when it happened, and only while it is news: not to who wakes up hours later.
      const notice = shown.notices.get(row.conversationId!);
      const isFresh = Date.parse(row.createdAt) > deps.clock.now().getTime() - newsMs;
      if (!isFresh || !notice?.stands || notice.eventId !== row.subjectId) return undefined;
      const { trigger, conversationId } = notice;
      return { name: row.kind, data: { trigger, conversationId, ...noticeWords(notice) } };
    }
    default:
      return undefined;
  }
}

/** Told to the channel's owner alone (N5). */
async function ownerAsked(
  reader: Reader,
  viewer: Viewer,
  row: ChangeRow,
): Promise<{ name: string; data: Events['notification'] } | undefined> {
  const what = row.kind === 'owner.asked.share' ? 'share' : 'reconnect';
  const asked = await reader.one<{ channelName: string; askedBy: string }>(
    `select ch.name as channel_name, u.name as asked_by from channel ch
     join owner_request r on r.channel_id = ch.id and r.what = ?
     join app_user u on u.company_id = ch.company_id and u.id = r.asked_by
     where ch.id = ? and ch.company_id = ? and ch.owner_id = ?`,
    [what, row.subjectId, viewer.companyId, viewer.userId],
  );
  if (!asked || row.subjectId === null) return undefined;
  const values = { name: asked.askedBy, channel: asked.channelName };
  return {
    name: 'notification',
    data: {
      trigger: `ask_${what}`,
      conversationId: null,
      channelId: row.subjectId,
      title: text(viewer.language, `ask.${what}.title`, values),
      body: text(viewer.language, `ask.${what}.body`, values),
    },
  };
}
