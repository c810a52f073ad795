// The test's clock: real time plus an offset that a test moves, or time that stands still but for that. Sleeping is real.
import { systemClock, type Clock } from '../../src/base/clock.ts';

export interface TestClock extends Clock {
  /** Moves time forward (or back) by so many milliseconds. */
  advance(ms: number): void;
  ms(): number;
}

export function createTestClock({ standing = false }: { standing?: boolean } = {}): TestClock {
  let offset = 0;
  const begun = systemClock.now().getTime();
  const ms = (): number => (standing ? begun : systemClock.now().getTime()) + offset;
  return {
    now: () => new Date(ms()),
    ms,
    sleep: systemClock.sleep,
    advance: (by) => void (offset += by),
  };
}
