// Sentences for people: the right language, the right number, and never an empty place.
import { describe, expect, test } from 'vitest';
import { nearestLanguage, text } from '../../../src/base/texts.ts';
import en from '../../../locales/en.json' with { type: 'json' };
import sv from '../../../locales/sv.json' with { type: 'json' };

test('a sentence comes in the language asked for', () => {
  expect(text('en', 'close')).toBe(en.close);
  expect(text('sv', 'close')).toBe(sv.close);
  expect(sv.close).not.toBe(en.close);
});

test('a language that we do not speak is answered in English', () => {
  for (const language of ['de', '', 'EN', 'constructor', '__proto__']) expect(text(language, 'close')).toBe(en.close);
});

test('a missing key shows itself instead of nothing, so that it is seen and harms nobody', () => {
  for (const key of ['no.such.key', '', 'constructor', 'toString', '__proto__']) {
    expect(text('en', key), key).toBe(key);
    expect(text('sv', key, { n: 2 }), key).toBe(key);
  }
});

describe('gaps', () => {
  test('are filled with the values of their names, wherever they stand', () => {
    expect(text('en', 'assign.label', { name: 'Sara Holm' })).toBe('Assigned to Sara Holm');
    expect(text('en', 'composer.tooLong', { n: 12, channel: 'WhatsApp' })).toMatch(/^12 .* WhatsApp\./);
  });

  test('without a value stay visible, and values without a gap are let go', () => {
    expect(text('en', 'assign.label')).toBe('Assigned to {name}');
    expect(text('en', 'assign.label', { other: 'x' })).toBe('Assigned to {name}');
    expect(text('en', 'close', { name: 'x' })).toBe(en.close);
  });

  test('take a value as it is: signs with a meaning to somebody else, and gaps in a customer’s name, are only text', () => {
    for (const name of ['$& $1 $$', '{n}', '{name}', '<b>', '\\']) {
      expect(text('en', 'assign.label', { name })).toBe(`Assigned to ${name}`);
    }
  });

  test('are not filled with what every object has', () => {
    expect(text('en', 'greeting {constructor} {toString}', {})).toBe('greeting {constructor} {toString}');
  });
});

describe('numbers', () => {
  test.each([
    ['en', 0, '0 characters left'],
    ['en', 1, '1 character left'],
    ['en', 2, '2 characters left'],
    ['en', 21, '21 characters left'],
    ['sv', 1, sv['composer.leftOver.one'].replace('{n}', '1')],
    ['sv', 0, sv['composer.leftOver.other'].replace('{n}', '0')],
    ['sv', 5, sv['composer.leftOver.other'].replace('{n}', '5')],
  ])('in %s, %d is said as "%s"', (language, n, sentence) => {
    expect(text(language, 'composer.leftOver', { n })).toBe(sentence);
  });

  test('only a number picks a form; without one the key shows itself', () => {
    expect(text('en', 'composer.leftOver')).toBe('composer.leftOver');
    expect(text('en', 'composer.leftOver', { n: '1' })).toBe('composer.leftOver');
  });
});

test.each([
  ['sv', 'sv'],
  ['SV', 'sv'],
  ['sv-SE', 'sv'],
  ['en', 'en'],
  ['en-GB', 'en'],
  ['pt-BR', 'en'],
  ['', 'en'],
  [null, 'en'],
  [undefined, 'en'],
])('the language nearest to %s is %s', (code, nearest) => {
  expect(nearestLanguage(code)).toBe(nearest);
});
