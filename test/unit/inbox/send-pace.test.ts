// When a sender's messages may leave (C7): at once while there is room, evenly when there is none, not while quiet is wanted.
import { expect, test } from 'vitest';
import { createSendPace } from '../../../src/inbox/send-pace.ts';

/** Time that stands still until it is moved. */
function standingClock() {
  let ms = Date.UTC(2026, 0, 5, 9);
  return {
    now: () => new Date(ms),
    sleep: () => Promise.resolve(),
    ms: () => ms,
    advance: (by: number) => void (ms += by),
  };
}

function pacing() {
  const clock = standingClock();
  const pace = createSendPace(clock);
  /** Ms after which each of these leaves, when each asks again as it is told to. */
  const leave = (sender: string, messages: readonly string[], perSecond: number): number[] => {
    const begun = clock.ms();
    const left = new Map<string, number>();
    for (let turn = 0; left.size < messages.length && turn < 10_000; turn += 1) {
      const waits = messages
        .filter((message) => !left.has(message))
        .map((message) => {
          const wait = pace.waitMs(sender, message, perSecond);
          if (wait === 0) left.set(message, clock.ms() - begun);
          return wait;
        });
      const next = Math.min(...waits.filter((wait) => wait > 0));
      if (Number.isFinite(next)) clock.advance(next);
    }
    return messages.map((message) => left.get(message)!);
  };
  return { clock, pace, leave };
}

const many = (count: number): string[] => Array.from({ length: count }, (_, index) => `message ${index}`);

test('a second’s worth leaves at once, what is more in the seconds after it, and senders do not wait for each other', () => {
  const { leave, pace } = pacing();

  const times = leave('ours', many(200), 80);
  expect(times.slice(0, 80).every((time) => time === 0)).toBe(true);
  for (let from = 0; from < 120; from += 1) expect(times[from + 80]! - times[from]!).toBeGreaterThanOrEqual(1_000);
  expect(times.at(-1)).toBe(2_000);
  expect(pace.waitMs('another', 'message', 80)).toBe(0);
});

test('one message in three seconds is just that, and who asks again and again keeps his place', () => {
  const { leave, pace, clock } = pacing();

  expect(leave('ours', many(3), 1 / 3)).toEqual([0, 3_000, 6_000]);
  const asked = Array.from({ length: 5 }, () => pace.waitMs('ours', 'next', 1 / 3));
  expect(asked).toEqual([3_000, 3_000, 3_000, 3_000, 3_000]);
  clock.advance(3_000);
  expect(pace.waitMs('ours', 'next', 1 / 3)).toBe(0);
});

test('while quiet is wanted nothing of this sender leaves; afterwards not all of it at once', () => {
  const { leave, pace, clock } = pacing();
  pace.rest('ours', 20_000);
  pace.rest('ours', 5_000);

  expect(pace.waitMs('ours', 'a', 80)).toBe(20_000);
  expect(pace.waitMs('ours', 'b', 10)).toBe(20_000);
  expect(pace.waitMs('another', 'a', 80)).toBe(0);
  clock.advance(20_000);
  const times = leave('ours', many(20), 10);
  expect(times.filter((time) => time === 0)).toHaveLength(10);
  expect(times.at(-1)).toBe(1_000);
});
