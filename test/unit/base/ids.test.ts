// Ids made by us are UUIDs of version 7: sorting them as text sorts them by the time they were made.
import { afterEach, expect, test, vi } from 'vitest';
import { newId } from '../../../src/base/ids.ts';
import { until } from '../../support/wait.ts';

const make = (count: number): string[] => Array.from({ length: count }, newId);
const areRising = (ids: readonly string[]): boolean => ids.every((id, index) => index === 0 || ids[index - 1]! < id);
const millisecondsOf = (id: string): number => parseInt(id.replace('-', '').slice(0, 12), 16);

afterEach(() => vi.restoreAllMocks());

test('an id is a UUID of version 7 in the usual form (RFC 9562)', () => {
  const form = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

  expect(make(20_000).filter((id) => !form.test(id))).toEqual([]);
});

test('each id is greater than the one before, and none comes twice', () => {
  const ids = make(100_000);

  expect(areRising(ids)).toBe(true);
  expect(new Set(ids).size).toBe(ids.length);
});

test('ids still rise when one millisecond has more of them than its counter can tell apart, and when the clock goes back', () => {
  const machine = performance.now();
  const now = vi.spyOn(performance, 'now');
  now.mockReturnValue(machine + 10);
  const crowded = make(10_000);
  now.mockReturnValue(machine - 60_000);
  const earlier = make(10_000);

  const ids = [...crowded, ...earlier];

  expect(areRising(ids)).toBe(true);
  expect(new Set(ids).size).toBe(ids.length);
  expect(new Set(crowded.map(millisecondsOf)).size).toBe(3);
});

test('an id carries the time it was made', async () => {
  const last = millisecondsOf(newId());
  // Earlier tests ran ahead of the clock; let it come past them.
  const before = await until(() => (Date.now() > last + 5 ? Date.now() : 0), 'the clock');

  const made = millisecondsOf(newId());

  expect(Math.abs(made - before)).toBeLessThan(1_000);
});

test('what is not time or counter is random, so that an id does not tell its neighbour', () => {
  const tails = make(20_000).map((id) => id.slice(20));

  expect(new Set(tails).size).toBe(tails.length);
});
