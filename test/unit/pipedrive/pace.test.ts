// How fast we call Pipedrive: under its burst limits, searches too, silent when told so, and at rest while it is down (H7, P-05).
import { expect, test } from 'vitest';
import type { Clock } from '../../../src/base/clock.ts';
import { createPace } from '../../../src/pipedrive/pace.ts';

/** Time that passes only by sleeping. */
function sleepersTime() {
  let ms = Date.UTC(2026, 0, 5, 9);
  const clock: Clock = {
    now: () => new Date(ms),
    sleep: (by) => Promise.resolve(void (ms += by)),
  };
  return { clock, ms: () => ms };
}

/** When each of so many calls asked for at once may leave, by the order of asking. */
async function leaving(count: number, isSearch: boolean, limit?: number) {
  const { clock, ms } = sleepersTime();
  const pace = createPace(clock);
  if (limit !== undefined) pace.heard('1:1', { 'x-ratelimit-limit': String(limit), 'x-ratelimit-remaining': '5' });
  const left: { readonly call: number; readonly at: number }[] = [];
  const calls = Array.from({ length: count }, (_, call) =>
    pace.turn('1:1', isSearch).then(() => void left.push({ call, at: ms() })),
  );
  await Promise.all(calls);
  return left;
}

function mostInTwoSeconds(left: readonly { readonly at: number }[]): number {
  return Math.max(...left.map(({ at }) => left.filter((other) => other.at >= at && other.at < at + 2_000).length));
}

test.each([
  ['calls before a limit is known', 200, false, undefined, 60],
  ['calls under a limit of twenty', 100, false, 20, 15],
  ['searches', 40, true, undefined, 7],
] as const)(
  '%s leave in order and stay under the limit of two seconds (H7)',
  async (_, count, isSearch, limit, most) => {
    const left = await leaving(count, isSearch, limit);

    expect(left.map(({ call }) => call)).toEqual(Array.from({ length: count }, (_unused, call) => call));
    expect(mostInTwoSeconds(left)).toBe(most);
  },
);

test('a user whose calls are used up is silent until the limit is new, another one is not (P-04)', async () => {
  const { clock, ms } = sleepersTime();
  const pace = createPace(clock);
  const begun = ms();
  pace.heard('1:1', { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '3' });

  await pace.turn('1:2', false);
  expect(ms()).toBe(begun);
  await pace.turn('1:1', false);
  expect(ms()).toBeGreaterThanOrEqual(begun + 3_000);
});

test('after three failures in a row a company rests, one call in half a minute asks, and success ends it (P-05)', async () => {
  const { clock } = sleepersTime();
  const pace = createPace(clock);
  const rests = (): boolean => pace.restMs('1') > 0;
  pace.wentWrong('1');
  pace.wentWrong('1');
  expect(rests()).toBe(false);

  pace.wentWrong('1');
  expect(rests()).toBe(true);
  expect(pace.restMs('2')).toBe(0);
  await clock.sleep(30_000);
  expect([rests(), rests()]).toEqual([false, true]);
  pace.wentWell('1');
  expect(rests()).toBe(false);
});
