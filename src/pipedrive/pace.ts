// Keeps our calls under Pipedrive's burst limits, and lets a company's background calls rest while Pipedrive is down.
// Limits (dossier 5.2): per user's token in a rolling two seconds, told by `x-ratelimit-limit`; searches 10 on every plan.
import type { Clock } from '../base/clock.ts';

export interface Pace {
  /** Resolves when this user's next call may leave; in the order of asking. */
  turn(user: string, isSearch: boolean): Promise<void>;
  /** What an answer's headers say of the limit. */
  heard(user: string, headers: Readonly<Record<string, string>>): void;
  /** For how long a company's background calls rest; 0 lets one through, as a probe while it is not known to be up. */
  restMs(company: string): number;
  wentWell(company: string): void;
  wentWrong(company: string): void;
}

const windowMs = 2_000;
/** Of what Pipedrive allows we take this much: other processes and answers under way count too. */
const share = 0.75;
const firstLimit = 80;
const searchesPerWindow = 7;
/** So many failures in a row mean that it is down and not a single call. */
const failuresUntilRest = 3;
const probeEveryMs = 30_000;

interface Lane {
  readonly calls: number[];
  readonly searches: number[];
  limit: number;
  silentUntil: number;
  last: Promise<void>;
}

export function createPace(clock: Clock): Pace {
  const lanes = new Map<string, Lane>();
  const trouble = new Map<string, { failures: number; nextProbe: number }>();
  const now = (): number => clock.now().getTime();
  const laneOf = (user: string): Lane => {
    const known = lanes.get(user);
    if (known) return known;
    if (lanes.size > 5_000) lanes.clear();
    const lane = { calls: [], searches: [], limit: firstLimit, silentUntil: 0, last: Promise.resolve() };
    lanes.set(user, lane);
    return lane;
  };
  const take = async (lane: Lane, isSearch: boolean): Promise<void> => {
    for (;;) {
      const at = now();
      const waits = [
        lane.silentUntil - at,
        untilFree(lane.calls, Math.max(1, Math.floor(lane.limit * share)), at),
        isSearch ? untilFree(lane.searches, searchesPerWindow, at) : 0,
      ];
      const wait = Math.max(...waits);
      if (wait <= 0) break;
      // A clock that is moved by hand does not wake a sleeper: look again soon.
      await clock.sleep(Math.min(wait, 250));
    }
    lane.calls.push(now());
    if (isSearch) lane.searches.push(now());
  };
  return {
    turn: (user, isSearch) => {
      const lane = laneOf(user);
      const mine = lane.last.then(() => take(lane, isSearch));
      lane.last = mine;
      return mine;
    },
    heard: (user, headers) => {
      const lane = laneOf(user);
      const limit = Number(headers['x-ratelimit-limit']);
      if (Number.isFinite(limit) && limit > 0) lane.limit = limit;
      const left = headers['x-ratelimit-remaining'];
      if (left !== undefined && Number(left) <= 0) {
        const reset = Number(headers['x-ratelimit-reset'] ?? 2);
        lane.silentUntil = now() + Math.min(Number.isFinite(reset) && reset > 0 ? reset * 1_000 : windowMs, 60_000);
      }
    },
    restMs: (company) => {
      const state = trouble.get(company);
      if (!state || state.failures < failuresUntilRest) return 0;
      const at = now();
      if (state.nextProbe > at) return state.nextProbe - at;
      state.nextProbe = at + probeEveryMs;
      return 0;
    },
    wentWell: (company) => void trouble.delete(company),
    wentWrong: (company) => {
      const failures = (trouble.get(company)?.failures ?? 0) + 1;
      trouble.set(company, { failures, nextProbe: now() + probeEveryMs });
    },
  };
}

/** How long until one more call fits into the rolling window; forgets what has left it. */
function untilFree(times: number[], limit: number, now: number): number {
  while (times.length > 0 && (times[0]! <= now - windowMs || times[0]! > now)) times.shift();
  return times.length < limit ? 0 : times[times.length - limit]! + windowMs - now + 1;
}
