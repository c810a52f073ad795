// Who looks at a conversation and who types, as far as it was said in the last seconds (V9). Kept in memory; told to other processes.
import type { Clock } from '../base/clock.ts';
import type { Database } from '../db/database.ts';

export interface Present {
  readonly userId: string;
  readonly name: string;
  readonly typing: boolean;
}

/** A sign of a user: he looks at the conversation; `focused` when the window it comes from is the one he works in. */
export interface Sign extends Present {
  readonly focused: boolean;
  readonly sessionId: string;
}

export interface Presence {
  show(companyId: string, conversationId: string, user: Sign): void;
  of(conversationId: string): Present[];
  /** Whether the user has this conversation open and in focus (N3). */
  isFocused(companyId: string, conversationId: string, userId: string): boolean;
  /** Hears of every change of presence in a company. */
  onPresence(companyId: string, hear: (conversationId: string) => void): () => void;
}

/** A sign is good for this long; a surface repeats it while it shows the conversation. */
const freshMs = 15_000;
const typingMs = 6_000;
const topic = 'inbox_presence';

interface Seen extends Sign {
  at: number;
}

export function createPresence(deps: { db: Database; clock: Clock }): Presence {
  const seen = new Map<string, Map<string, Seen>>();
  const hearers = new Map<string, Set<(conversationId: string) => void>>();
  /** Where each user's focus was seen last. There is one: a sign of focus elsewhere ends it here, as does this window's own word. */
  const focus = new Map<string, { conversationId: string; sessionId: string; at: number }>();

  const follow = (
    companyId: string,
    conversationId: string,
    { userId, focused, sessionId }: Sign,
    at: number,
  ): void => {
    const key = `${companyId} ${userId}`;
    if (focused) focus.set(key, { conversationId, sessionId, at });
    else if (focus.get(key)?.sessionId === sessionId) focus.delete(key);
  };
  const apply = (companyId: string, conversationId: string, user: Sign): void => {
    const now = deps.clock.now().getTime();
    follow(companyId, conversationId, user, now);
    const there = seen.get(conversationId) ?? new Map<string, Seen>();
    const before = there.get(user.userId);
    there.set(user.userId, { ...user, at: now });
    seen.set(conversationId, there);
    forget(now);
    if (before && now - before.at < freshMs && before.typing === user.typing) return;
    hearers.get(companyId)?.forEach((hear) => hear(conversationId));
  };
  const forget = (now: number): void => {
    for (const [id, there] of seen) {
      for (const [userId, user] of there) if (now - user.at > freshMs) there.delete(userId);
      if (there.size === 0) seen.delete(id);
    }
    for (const [key, { at }] of focus) if (now - at > freshMs) focus.delete(key);
  };
  deps.db.listen(topic, (text) => {
    const { companyId, conversationId, user } = JSON.parse(text) as {
      companyId: string;
      conversationId: string;
      user: Sign;
    };
    apply(companyId, conversationId, user);
  });

  return {
    show: (companyId, conversationId, user) => {
      apply(companyId, conversationId, user);
      deps.db.notify(topic, JSON.stringify({ companyId, conversationId, user }));
    },
    of: (conversationId) => {
      const now = deps.clock.now().getTime();
      return [...(seen.get(conversationId)?.values() ?? [])]
        .filter((user) => now - user.at <= freshMs)
        .map(({ userId, name, typing, at }) => ({ userId, name, typing: typing && now - at <= typingMs }));
    },
    isFocused: (companyId, conversationId, userId) => {
      const seenLast = focus.get(`${companyId} ${userId}`);
      return seenLast?.conversationId === conversationId && deps.clock.now().getTime() - seenLast.at <= freshMs;
    },
    onPresence: (companyId, hear) => {
      const known = hearers.get(companyId) ?? new Set();
      hearers.set(companyId, known.add(hear));
      return () => void known.delete(hear);
    },
  };
}
