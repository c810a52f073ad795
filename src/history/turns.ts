// Who has waited for Pipedrive comes in the order of its waiting, one after the other, when it can be had again: what there is then
// may not be enough for all (H7). Whoever has not waited passes at once.

export interface Turns {
  /**
   * Runs `work`; of those of one company that had to wait, one at a time, in the order in which they ask. Only so many stand in
   * line, as each of them takes up a worker: to the others the answer is `later`.
   */
  take<T>(linkId: string, work: () => Promise<T>): Promise<T | 'later'>;
  /** This one must wait. */
  postpone(companyId: string, linkId: string): void;
}

const longestLine = 16;

export function createTurns(): Turns {
  const waiting = new Map<string, string>();
  const lines = new Map<string, { length: number; last: Promise<unknown> }>();
  return {
    take: (linkId, work) => {
      const companyId = waiting.get(linkId);
      if (companyId === undefined) return work();
      const line = lines.get(companyId) ?? { length: 0, last: Promise.resolve() };
      if (line.length >= longestLine) return Promise.resolve('later');
      lines.set(companyId, line);
      waiting.delete(linkId);
      line.length += 1;
      const result = line.last.then(work);
      line.last = result
        .catch(() => undefined)
        .finally(() => {
          line.length -= 1;
          if (line.length === 0) lines.delete(companyId);
        });
      return result;
    },
    postpone: (companyId, linkId) => void waiting.set(linkId, companyId),
  };
}
