// Who looks at a conversation and who types, as far as it was said in the last seconds (V9). Kept in memory; told to other processes.
import type { Clock } from '../base/clock.ts';
import type { Database } from '../db/database.ts';

export interface Present {
  readonly userId: string;
  readonly name: string;
  readonly typing: boolean;
}

export interface Presence {
  show(companyId: string, conversationId: string, user: Present): void;
  of(conversationId: string): Present[];
  /** Hears of every change of presence in a company. */
  onPresence(companyId: string, hear: (conversationId: string) => void): () => void;
}

/** A sign is good for this long; a surface repeats it while it shows the conversation. */
const freshMs = 15_000;
const typingMs = 6_000;
const topic = 'inbox_presence';

interface Seen extends Present {
  at: number;
}

export function createPresence(deps: { db: Database; clock: Clock }): Presence {
  const seen = new Map<string, Map<string, Seen>>();
  const hearers = new Map<string, Set<(conversationId: string) => void>>();

  const apply = (companyId: string, conversationId: string, user: Present): void => {
    const now = deps.clock.now().getTime();
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
  };
  deps.db.listen(topic, (text) => {
    const { companyId, conversationId, user } = JSON.parse(text) as {
      companyId: string;
      conversationId: string;
      user: Present;
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
    onPresence: (companyId, hear) => {
      const known = hearers.get(companyId) ?? new Set();
      hearers.set(companyId, known.add(hear));
      return () => void known.delete(hear);
    },
  };
}
