// Text that one database takes and the other does not (storage trap 6): cleaned once on the way in, it is the same on both.
import { expect, test } from 'vitest';
import { cleanText, cleanTexts } from '../../../src/inbox/clean-text.ts';
import { Job, type JobRow } from '../../../src/db/tables.ts';
import { bothDatabases } from '../../support/databases.ts';
import { jobRow, openFresh } from '../../support/open-database.ts';

test.each([
  ['NUL is dropped', 'a\u0000b\u0000', 'ab'],
  ['a lone surrogate becomes one replacement character', 'a\ud800b\udc00', 'a\ufffdb\ufffd'],
  ['a whole emoji stays', '👩‍👩‍👧 🇸🇪', '👩‍👩‍👧 🇸🇪'],
  [
    'line breaks, direction marks and a byte order mark stay as they are',
    '\ufeffa\r\nb\u2028\u202ec',
    '\ufeffa\r\nb\u2028\u202ec',
  ],
  ['only NUL is nothing', '\u0000', ''],
])('%s', (_, given, clean) => {
  expect(cleanText(given)).toBe(clean);
});

test('every string inside a value is cleaned, and nothing else is touched', () => {
  const value = {
    text: 'a\u0000',
    list: ['\ud800', 1, null, { deep: '\u0000' }],
    number: 2 ** 53,
    yes: true,
    no: undefined,
  };

  expect(cleanTexts(value)).toEqual({
    text: 'a',
    list: ['\ufffd', 1, null, { deep: '' }],
    number: 2 ** 53,
    yes: true,
    no: undefined,
  });
});

test.each(bothDatabases)(
  'what was cleaned comes back as it went in, in the same length, on %s (M-22)',
  async (kind) => {
    const { db } = await openFresh(kind);
    const words = cleanText('Räksmörgås \u0000\ud800 👩‍👩‍👧 \u202eabc');

    await db.transaction((tx) => tx.insert(Job, jobRow({ payload: words })));

    const [row] = await db.read((reader) =>
      reader.query<JobRow & { characters: number }>(
        'select job.*, cast(length(payload) as integer) as characters from job',
      ),
    );
    expect(row!.payload).toBe(words);
    expect(row!.characters).toBe([...words].length);
  },
);
