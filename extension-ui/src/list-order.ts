// Which rows stand where while somebody's pointer or focus is on the list: nothing moves under the hand. Pure.

export interface Held {
  readonly ids: readonly string[];
  /** How many wait above until the hand is gone. */
  readonly waiting: number;
}

/**
 * Rows keep their places; what has come further down (the next page) is added there, and what has come higher up waits.
 * A row that has left the section stays until the hand is gone.
 */
export function holdRows(shown: readonly string[], now: readonly string[]): Held {
  if (shown.length === 0) return { ids: now, waiting: 0 };
  const known = new Set(shown);
  const lastKnown = now.findLastIndex((id) => known.has(id));
  const below = lastKnown < 0 ? [] : now.slice(lastKnown + 1);
  const waiting = now.slice(0, lastKnown < 0 ? now.length : lastKnown).filter((id) => !known.has(id)).length;
  return { ids: [...shown, ...below], waiting };
}
