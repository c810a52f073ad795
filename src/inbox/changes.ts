// The log of what happens: numbers each change without gaps, runs what follows from it, wakes the streams.
import { timeText, type Clock } from '../base/clock.ts';
import { newId } from '../base/ids.ts';
import { correlationId } from '../base/log.ts';
import type { Database, Tx } from '../db/database.ts';
import {
  Change as ChangeTable,
  TimelineEntry,
  type ChangeRow,
  type ConversationRow,
  type LinkRow,
  type MessageRow,
} from '../db/tables.ts';

/** Who did something: a user, the contact, or the app itself. */
export interface Actor {
  readonly kind: 'user' | 'contact' | 'app';
  readonly id: string | null;
  readonly name: string;
}
export const theApp: Actor = { kind: 'app', id: null, name: '' };

/**
 * How a message came to us: by a webhook; by a look at the provider's history for what no webhook brought; or with the
 * import of what was before the channel was connected, which tells nobody, writes no notes and opens nothing (C13).
 */
export type MessageOrigin = 'webhook' | 'reconciled' | 'imported';

/**
 * Something that happened. `conversation` and `message` are as they are after it. The correlation id is that of the webhook
 * or request behind it: what follows from several happenings is decided together, each with its own.
 */
export type Happening = { readonly correlationId?: string } & (
  | {
      readonly kind: 'message.received';
      readonly conversation: ConversationRow;
      readonly message: MessageRow;
      readonly reopened: boolean;
      readonly origin: MessageOrigin;
    }
  | {
      readonly kind: 'message.queued';
      readonly conversation: ConversationRow;
      readonly message: MessageRow;
      readonly by: Actor;
    }
  | {
      readonly kind: 'message.changed';
      readonly conversation: Pick<ConversationRow, 'id' | 'companyId'>;
      readonly message: MessageRow;
    }
  | { readonly kind: 'message.removed'; readonly conversation: ConversationRow; readonly messageId: string }
  | {
      readonly kind: 'conversation.changed';
      readonly conversation: ConversationRow;
      readonly act: ConversationAct | null;
      readonly by: Actor;
    }
  | { readonly kind: 'conversation.read'; readonly conversation: ConversationRow; readonly userId: string }
  | {
      readonly kind: 'conversation.deleted';
      readonly companyId: string;
      readonly conversationId: string;
      readonly channelId: string;
      readonly by: Actor;
    }
  /** Two contacts turned out to be one: everything of the conversation `from` is in `conversation` now (C11). */
  | {
      readonly kind: 'conversation.joined';
      readonly conversation: ConversationRow;
      readonly from: string;
      readonly messageIds: readonly string[];
    }
  | { readonly kind: 'link.added'; readonly conversation: ConversationRow; readonly link: LinkRow; readonly by: Actor }
  | {
      readonly kind: 'link.changed';
      readonly conversation: Pick<ConversationRow, 'id' | 'companyId'>;
      readonly link: LinkRow;
      /** What became of it, if it is more than a matter of its notes or facts. */
      readonly act?: LinkAct;
      readonly by?: Actor;
    }
  | {
      readonly kind: 'link.removed';
      readonly conversation: ConversationRow;
      readonly link: LinkRow;
      readonly by: Actor;
    }
  | {
      readonly kind: 'notes.written';
      readonly companyId: string;
      readonly conversationId: string;
      readonly messageIds: readonly string[];
    }
  | { readonly kind: 'user.changed'; readonly companyId: string; readonly userId: string }
  | { readonly kind: 'channel.changed'; readonly companyId: string; readonly channelId: string }
  | {
      readonly kind: 'owner.asked';
      readonly companyId: string;
      readonly channelId: string;
      readonly ownerId: string;
      readonly what: 'reconnect' | 'share';
      readonly by: Actor;
    }
);

/** What a user or the contact did to a conversation, as its timeline tells it (V10). */
export type ConversationAct = 'started' | 'assigned' | 'unassigned' | 'closed' | 'opened' | 'reopened' | 'send_failed';

/** What becomes of a link: its record is gone; it follows to another record; somebody mended it (L6). */
export type LinkAct = 'link_broken' | 'link_moved' | 'link_mended';

/**
 * Draws consequences inside the same transaction; it only decides and enqueues. It hears all that happened in the
 * transaction together, in order, just before the commit: under load that is many messages, and what it asks the database
 * for them it can ask once.
 */
export type Follower = (tx: Tx, happenings: readonly Happening[]) => Promise<void>;

export interface Changes {
  /** The one way to say that something happened. */
  record(tx: Tx, happening: Happening): Promise<void>;
  /** Writes an entry of a conversation's timeline. */
  remember(
    tx: Tx,
    entry: { companyId: string; conversationId: string; kind: string; by: Actor; details?: object },
  ): Promise<void>;
  /** Hears that a company has changes; not which. */
  onChange(companyId: string, hear: () => void): () => void;
}

/**
 * The id of the piece of news that a happening is to users, or nothing when it is none (N1): a message of a contact, or an
 * assignment by somebody else. The stream and the notices know it by this id.
 */
export function newsIn(happening: Happening): string | undefined {
  if (happening.kind === 'message.received') {
    const { direction, id } = happening.message;
    return direction === 'inbound' && happening.origin !== 'imported' ? id : undefined;
  }
  if (happening.kind !== 'conversation.changed' || happening.act !== 'assigned') return undefined;
  const { assigneeId, updatedAt } = happening.conversation;
  return assigneeId === null || assigneeId === happening.by.id ? undefined : `assigned:${updatedAt}:${assigneeId}`;
}

type Entry = Pick<ChangeRow, 'companyId' | 'kind' | 'conversationId' | 'subjectId'>;

const topic = 'inbox_changes';

export function createChanges(deps: { db: Database; clock: Clock; followers: readonly Follower[] }): Changes {
  const hearers = new Map<string, Set<() => void>>();
  const wake = (companyId: string): void => hearers.get(companyId)?.forEach((hear) => hear());
  deps.db.listen(topic, wake);
  const pending = new WeakMap<Tx, Map<string, Entry>>();

  const unfollowed = new WeakMap<Tx, Happening[]>();

  /** What followers make happen in turn is followed too. */
  const follow = async (tx: Tx): Promise<void> => {
    const happenings = unfollowed.get(tx)!;
    unfollowed.delete(tx);
    for (const follower of deps.followers) await follower(tx, happenings);
    // Last of all, so that the lock on the company's counter is short and number order is commit order.
    tx.beforeCommit('number changes', writeNumbers);
  };

  const collect = (tx: Tx, entries: readonly Entry[]): void => {
    const known = pending.get(tx) ?? new Map<string, Entry>();
    pending.set(tx, known);
    for (const entry of entries) {
      const key = `${entry.kind} ${entry.conversationId} ${entry.subjectId}`;
      known.delete(key);
      known.set(key, entry);
    }
  };

  const writeNumbers = async (tx: Tx): Promise<void> => {
    const entries = [...(pending.get(tx)?.values() ?? [])];
    pending.delete(tx);
    const now = timeText(deps.clock);
    // Always in the same order, so that two groups never wait for each other's companies.
    for (const companyId of [...new Set(entries.map((entry) => entry.companyId))].sort()) {
      const ofCompany = entries.filter((entry) => entry.companyId === companyId);
      const counter = await tx.one<{ changeNumber: number }>(
        'update company set change_number = change_number + ? where id = ? returning change_number',
        [ofCompany.length, companyId],
      );
      if (!counter) continue;
      const first = counter.changeNumber - ofCompany.length + 1;
      await tx.insert(
        ChangeTable,
        ofCompany.map((entry, index) => ({ ...entry, number: first + index, createdAt: now })),
      );
      tx.afterCommit(() => {
        wake(companyId);
        deps.db.notify(topic, companyId);
      });
    }
  };

  const remember: Changes['remember'] = (tx, entry) =>
    tx.insert(TimelineEntry, {
      id: newId(),
      companyId: entry.companyId,
      conversationId: entry.conversationId,
      kind: entry.kind,
      byKind: entry.by.kind,
      byId: entry.by.id,
      byName: entry.by.name,
      details: JSON.stringify(entry.details ?? {}),
      createdAt: timeText(deps.clock),
    });

  return {
    record: async (tx, happening) => {
      const correlation = correlationId();
      const kept = correlation === undefined ? happening : { ...happening, correlationId: correlation };
      const waiting = unfollowed.get(tx);
      if (waiting) waiting.push(kept);
      else unfollowed.set(tx, [kept]);
      tx.beforeCommit('follow', follow);
      collect(tx, entriesOf(happening));
      const told = timelineOf(happening);
      if (told) await remember(tx, told);
    },
    remember,
    onChange: (companyId, hear) => {
      const known = hearers.get(companyId) ?? new Set();
      hearers.set(companyId, known.add(hear));
      return () => {
        known.delete(hear);
        if (known.size === 0 && hearers.get(companyId) === known) hearers.delete(companyId);
      };
    },
  };
}

/** What the streams must hear of a happening. */
function entriesOf(happening: Happening): Entry[] {
  const news = newsIn(happening);
  if (news === undefined) return screenEntriesOf(happening);
  const { companyId, id } = (happening as Extract<Happening, { conversation: unknown }>).conversation;
  const told: Entry = { companyId, kind: 'notification', conversationId: id, subjectId: news };
  return [...screenEntriesOf(happening), told];
}

function screenEntriesOf(happening: Happening): Entry[] {
  const conversation = (companyId: string, id: string): Entry => ({
    companyId,
    kind: 'conversation.changed',
    conversationId: id,
    subjectId: null,
  });
  switch (happening.kind) {
    case 'message.received':
    case 'message.queued':
    case 'message.changed': {
      const { id, companyId } = happening.conversation;
      return [
        { companyId, kind: 'message.changed', conversationId: id, subjectId: happening.message.id },
        conversation(companyId, id),
      ];
    }
    case 'notes.written':
      return [
        ...happening.messageIds.map((subjectId) => ({
          companyId: happening.companyId,
          kind: 'message.changed',
          conversationId: happening.conversationId,
          subjectId,
        })),
        conversation(happening.companyId, happening.conversationId),
      ];
    case 'message.removed': {
      const { id, companyId } = happening.conversation;
      return [
        { companyId, kind: 'message.removed', conversationId: id, subjectId: happening.messageId },
        conversation(companyId, id),
      ];
    }
    case 'conversation.deleted':
      return [
        {
          companyId: happening.companyId,
          kind: 'conversation.deleted',
          conversationId: happening.conversationId,
          subjectId: happening.channelId,
        },
      ];
    case 'conversation.joined': {
      const { companyId, id, channelId } = happening.conversation;
      return [
        { companyId, kind: 'conversation.deleted', conversationId: happening.from, subjectId: channelId },
        ...happening.messageIds.map((subjectId) => ({
          companyId,
          kind: 'message.changed',
          conversationId: id,
          subjectId,
        })),
        conversation(companyId, id),
      ];
    }
    case 'user.changed':
      return [
        { companyId: happening.companyId, kind: 'user.changed', conversationId: null, subjectId: happening.userId },
      ];
    case 'channel.changed':
      return [
        {
          companyId: happening.companyId,
          kind: 'channel.changed',
          conversationId: null,
          subjectId: happening.channelId,
        },
      ];
    case 'owner.asked': {
      const { companyId, what, channelId } = happening;
      return [{ companyId, kind: `owner.asked.${what}`, conversationId: null, subjectId: channelId }];
    }
    case 'conversation.read':
      return [
        { ...conversation(happening.conversation.companyId, happening.conversation.id), subjectId: happening.userId },
      ];
    default:
      return [conversation(happening.conversation.companyId, happening.conversation.id)];
  }
}

function timelineOf(happening: Happening): Parameters<Changes['remember']>[1] | undefined {
  switch (happening.kind) {
    case 'conversation.changed': {
      if (!happening.act) return undefined;
      const { companyId, id, assigneeId } = happening.conversation;
      return { companyId, conversationId: id, kind: happening.act, by: happening.by, details: { assigneeId } };
    }
    case 'conversation.joined': {
      const { companyId, id } = happening.conversation;
      return { companyId, conversationId: id, kind: 'joined', by: theApp };
    }
    case 'link.added':
    case 'link.removed': {
      const { companyId, id } = happening.conversation;
      const { type, recordId, title } = happening.link;
      const kind = happening.kind === 'link.added' ? 'linked' : 'unlinked';
      return { companyId, conversationId: id, kind, by: happening.by, details: { type, recordId, title } };
    }
    case 'link.changed': {
      if (!happening.act) return undefined;
      const { companyId, id } = happening.conversation;
      const { type, recordId, title, reason } = happening.link;
      const details = { type, recordId, title, ...(reason === null ? {} : { reason }) };
      return { companyId, conversationId: id, kind: happening.act, by: happening.by ?? theApp, details };
    }
    case 'message.changed': {
      if (happening.message.status !== 'failed') return undefined;
      const { companyId, id } = happening.conversation;
      const details = { messageId: happening.message.id, code: happening.message.errorCode };
      return { companyId, conversationId: id, kind: 'send_failed', by: theApp, details };
    }
    case 'notes.written': {
      const { companyId, conversationId, messageIds } = happening;
      return { companyId, conversationId, kind: 'note_written', by: theApp, details: { messages: messageIds.length } };
    }
    default:
      return undefined;
  }
}
