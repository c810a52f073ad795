// What this browser remembers of a user between visits. A browser may refuse storage inside a frame: then it lives as long as the page.

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // As above.
  }
}

const mostSeen = 300;

function seenTimes(userId: string): Record<string, string> {
  try {
    return JSON.parse(read(`seen:${userId}`) ?? '{}') as Record<string, string>;
  } catch {
    return {};
  }
}

/** When this user last looked at a conversation here (ISO text). */
export function readSeenAt(userId: string, conversationId: string): string | null {
  return seenTimes(userId)[conversationId] ?? null;
}

export function writeSeenAt(userId: string, conversationId: string, at: string): void {
  const times = Object.entries({ ...seenTimes(userId), [conversationId]: at });
  const kept = times.sort(([, left], [, right]) => right.localeCompare(left)).slice(0, mostSeen);
  write(`seen:${userId}`, JSON.stringify(Object.fromEntries(kept)));
}

/** Unsent words by conversation, kept as typed until they are sent (S-03). */
export function readDrafts(userId: string): ReadonlyMap<string, string> {
  const start = `draft:${userId}:`;
  const drafts = new Map<string, string>();
  try {
    for (let index = 0; index < localStorage.length; index += 1) {
      const key = localStorage.key(index) ?? '';
      if (key.startsWith(start)) drafts.set(key.slice(start.length), read(key) ?? '');
    }
  } catch {
    // No storage, no drafts.
  }
  return drafts;
}

export function writeDraft(userId: string, conversationId: string, text: string): void {
  write(`draft:${userId}:${conversationId}`, text.trim() === '' ? null : text);
}

export interface Choices {
  /** Width of the list in px on each surface, where it can be dragged. */
  readonly listWidth: { readonly window?: number; readonly page?: number };
  /** Enter sends and Shift+Enter breaks the line, or the other way round. */
  readonly enterSends: boolean;
  /** J, K, R and the like outside of text fields. */
  readonly singleKeys: boolean;
  readonly contextFolded: boolean;
  readonly recentEmoji: readonly string[];
}

const usual: Choices = { listWidth: {}, enterSends: true, singleKeys: true, contextFolded: false, recentEmoji: [] };

export function readChoices(userId: string): Choices {
  try {
    return { ...usual, ...(JSON.parse(read(`choices:${userId}`) ?? '{}') as Partial<Choices>) };
  } catch {
    return usual;
  }
}

export function writeChoices(userId: string, choices: Choices): void {
  write(`choices:${userId}`, JSON.stringify(choices));
}
