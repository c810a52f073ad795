// Time. The only place that asks the machine for it, so that a test can own it.

export interface Clock {
  now(): Date;
  /** Resolves after `ms`, or at once when `signal` is aborted. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => new Date(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener('abort', done);
    }),
};

/** The time `ms` after now as UTC ISO-8601 text with milliseconds: how every time is stored, so that text order is time order. */
export function timeText(clock: Clock, ms = 0): string {
  return new Date(clock.now().getTime() + ms).toISOString();
}

/** `ms` after a stored time, as text. */
export function later(time: string, ms: number): string {
  return new Date(Date.parse(time) + ms).toISOString();
}

/** Whether this is a time zone that times can be told in (IANA, as `Intl` knows them). */
export function isTimeZone(name: string | null | undefined): name is string {
  if (!name) return false;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).format(0) !== '';
  } catch {
    return false;
  }
}
