// Keeps one company's bridge from taking the workers of all: a few pushes at a time, and a pause after one that got no
// sensible answer (O-05). In memory only: what waits is in the store.
import type { Clock } from '../base/clock.ts';

const mostAtOnce = 4;
const fullWaitMs = 500;
const firstPauseMs = 2_000;
const longestPauseMs = 300_000;

export interface Gate {
  /** Ms to come back after; or nothing, and then `leave` must follow. */
  enter(companyId: string): number | undefined;
  leave(companyId: string, outcome: 'answered' | 'unanswered'): void;
}

export function createGate(clock: Clock): Gate {
  const companies = new Map<string, { inside: number; failures: number; pausedUntil: number }>();
  return {
    enter: (companyId) => {
      const now = clock.now().getTime();
      const known = companies.get(companyId) ?? { inside: 0, failures: 0, pausedUntil: 0 };
      if (known.pausedUntil > now) return known.pausedUntil - now;
      if (known.inside >= mostAtOnce) return fullWaitMs;
      companies.set(companyId, { ...known, inside: known.inside + 1 });
      return undefined;
    },
    leave: (companyId, outcome) => {
      const known = companies.get(companyId);
      if (!known) return;
      const inside = known.inside - 1;
      if (outcome === 'unanswered') {
        const failures = known.failures + 1;
        const pauseMs = Math.min(firstPauseMs * 2 ** Math.min(failures - 1, 10), longestPauseMs);
        companies.set(companyId, { inside, failures, pausedUntil: clock.now().getTime() + pauseMs });
      } else if (inside === 0) companies.delete(companyId);
      else companies.set(companyId, { inside, failures: 0, pausedUntil: 0 });
    },
  };
}
