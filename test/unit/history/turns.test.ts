// Those who had to wait for Pipedrive come in the order of their waiting (H7).
import { expect, test } from 'vitest';
import { createTurns } from '../../../src/history/turns.ts';

test('who waited comes one at a time and in order, another company beside it, and who did not wait at once', async () => {
  const turns = createTurns();
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const work = (name: string) => () => {
    begun.push(name);
    return new Promise<string>((resolve) => ends.push(() => resolve(name)));
  };
  for (const name of ['first', 'second', 'third']) turns.postpone('ours', name);
  turns.postpone('theirs', 'other');

  const done = ['first', 'second', 'third', 'other', 'fresh'].map((name) => turns.take(name, work(name)));
  await new Promise(setImmediate);
  expect(begun).toEqual(['fresh', 'first', 'other']);
  ends[1]!();
  expect(await done[0]).toBe('first');
  await new Promise(setImmediate);
  expect(begun).toEqual(['fresh', 'first', 'other', 'second']);
});

test('the line is short, so that those in it do not take up every worker; one that fails holds up nobody', async () => {
  const turns = createTurns();
  const names = Array.from({ length: 20 }, (_, index) => `link ${index}`);
  for (const name of names) turns.postpone('ours', name);

  const outcomes = await Promise.allSettled(
    names.map((name, index) =>
      turns.take(name, () => (index === 0 ? Promise.reject(new Error('refused')) : Promise.resolve(name))),
    ),
  );

  expect(outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : 'failed'))).toEqual([
    'failed',
    ...names.slice(1, 16),
    ...Array.from({ length: 4 }, () => 'later'),
  ]);
  // They are still among those who waited.
  expect(await turns.take('link 17', () => Promise.resolve('in turn'))).toBe('in turn');
});
