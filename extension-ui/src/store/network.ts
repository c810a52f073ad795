// What did not get through is asked for again by itself: a screen that stayed as it was would not be true (S-01).
import { ApiError, OfflineError } from '../api.ts';

export interface Network {
  /** A question was not answered: `again` asks it anew, after a moment, and then whenever the stream is back. */
  missed(question: string, again: () => void): void;
  answered(question: string): void;
  /** The stream is open, after a time without it or for the first time. */
  isBack(): void;
  /** Something did not get through. */
  doubt(): void;
  /** Who is asked to look whether the network is alive. */
  onDoubt(look: () => void): void;
  stop(): void;
}

const firstPauseMs = 500;
const longestPauseMs = 30_000;

export function createNetwork(isOffline: () => boolean): Network {
  const owed = new Map<string, () => void>();
  let look = (): void => undefined;
  let misses = 0;
  let isDoubted = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const askAgain = (): void => {
    const again = [...owed.values()];
    owed.clear();
    again.forEach((ask) => ask());
  };
  const doubt = (): void => {
    if (isOffline()) return;
    isDoubted = true;
    look();
  };
  return {
    missed: (question, again) => {
      owed.set(question, again);
      clearTimeout(timer);
      if (isOffline()) return;
      // Once may be chance. After that the stream is asked whether anything gets through, ever less often.
      timer = setTimeout(misses === 0 ? askAgain : doubt, Math.min(longestPauseMs, firstPauseMs * 2 ** misses));
      misses += 1;
    },
    answered: (question) => {
      owed.delete(question);
      if (owed.size === 0) misses = 0;
    },
    isBack: () => {
      // It was really away: what fails now is a new trouble.
      if (!isDoubted) misses = 0;
      isDoubted = false;
      askAgain();
    },
    doubt,
    onDoubt: (heard) => void (look = heard),
    stop: () => clearTimeout(timer),
  };
}

/** Nobody answered, or only to say that nobody can now. */
export function didNotGetThrough(error: unknown): boolean {
  return error instanceof OfflineError || (error instanceof ApiError && error.status >= 500);
}
