// Rows under a hand keep their places.
import { expect, test } from 'vitest';
import { holdRows } from '../../../extension-ui/src/list-order.ts';

test('a row that moved to the top stays where it was', () => {
  expect(holdRows(['a', 'b', 'c'], ['c', 'a', 'b'])).toEqual({ ids: ['a', 'b', 'c'], waiting: 0 });
});

test('who is new above waits, and is counted', () => {
  expect(holdRows(['a', 'b'], ['y', 'x', 'a', 'b'])).toEqual({ ids: ['a', 'b'], waiting: 2 });
});

test('the next page comes below at once', () => {
  expect(holdRows(['a', 'b'], ['a', 'b', 'c', 'd'])).toEqual({ ids: ['a', 'b', 'c', 'd'], waiting: 0 });
});

test('a row that left stays until the hand is gone', () => {
  expect(holdRows(['a', 'b', 'c'], ['a', 'c'])).toEqual({ ids: ['a', 'b', 'c'], waiting: 0 });
});

test('an empty list holds nothing back', () => {
  expect(holdRows([], ['a'])).toEqual({ ids: ['a'], waiting: 0 });
});
