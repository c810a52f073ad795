// Work that many small things ask for, done once for all of them.

export interface Soon {
  /** Asks for it: it is done when nobody asked for a while, and at the latest some time after the first who did. */
  (): void;
  stop(): void;
}

export function soon(work: () => void, quietMs: number, latestMs: number): Soon {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let latest: number | undefined;
  const ask = (): void => {
    const now = Date.now();
    latest ??= now + latestMs;
    clearTimeout(timer);
    timer = setTimeout(
      () => {
        latest = undefined;
        work();
      },
      Math.min(quietMs, latest - now),
    );
  };
  return Object.assign(ask, { stop: () => clearTimeout(timer) });
}
