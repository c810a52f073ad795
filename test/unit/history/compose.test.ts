// A note's HTML whatever was written: only our few tags, the text as it was, no longer than Pipedrive takes (H5, H6, T-10, T-25).
import { expect, test } from 'vitest';
import { composeNote, fitting, piecesOf, type NoteHeader, type NoteMessage } from '../../../src/history/compose.ts';
import { harmIn, hostileTexts, hugeTexts } from '../../support/hostile-texts.ts';
import { wordsOf } from '../../support/notes.ts';

const address = 'https://inbox.example/conversations/1';
const header: NoteHeader = {
  language: 'en',
  timeZone: 'Europe/Stockholm',
  channelName: 'WhatsApp <b>Gothenburg</b>',
  providerName: 'WhatsApp',
  contactName: 'Anna "><img src=x onerror=alert(1)> \u202etxt.exe',
  assigneeName: '<script>alert(1)</script>',
  conversationUrl: address,
  mark: '0'.repeat(32),
  version: 0,
};

function message(text: string): NoteMessage {
  return {
    key: '01a21a60-e66d-70f9-b21a-0869bfb5caed',
    authorName: '\u202eAnna <svg/onload=alert(1)>',
    isOutbound: false,
    kind: 'text',
    text,
    attachments: ['"><script>alert(1)</script>.png'],
    details: { shared: { title: text.slice(0, 100), url: 'javascript:alert(1)' } },
    reactions: ['<b>'],
    failure: null,
    createdAt: '2026-11-27T01:00:00.000Z',
    shown: '',
  };
}

/** Processor time of the quickest of some runs, in milliseconds: what else the machine does is not ours. */
function quickest(work: () => void): number {
  const runs = Array.from({ length: 8 }, () => {
    const before = process.cpuUsage();
    work();
    return process.cpuUsage(before).user / 1_000;
  });
  return Math.min(...runs);
}

/** Line ends of any kind are breaks; wordsOf turns breaks to `\n`. */
const asRead = (text: string): string => text.replace(/\r\n|[\r\u2028\u2029]/g, '\n');

test.each(Object.entries(hostileTexts))('%s in text, names, files and shared links stays text', (_, text) => {
  const html = composeNote(header, [message(text)]);

  expect(harmIn(html, address)).toEqual([]);
  expect(wordsOf(html.replaceAll('<br>', '<br />'))).toContain(asRead(text));
  // What could turn our own words around stands only in the message itself.
  expect(html.replaceAll(text, '').match(/[\u202a-\u202e\u2066-\u2069]/g) ?? []).toEqual([]);
});

test.each(Object.entries(hugeTexts))(
  '%s is cut into notes that Pipedrive takes, nothing lost, and eight times as much is not dearer by more than that',
  (_, text) => {
    const pieces = piecesOf(message(text));
    const notes: string[] = [];
    for (let rest = pieces; rest.length > 0;) {
      const count = Math.max(1, fitting(header, [], rest));
      notes.push(composeNote(header, rest.slice(0, count)));
      rest = rest.slice(count);
    }

    expect(pieces.map((piece) => piece.text).join('')).toBe(text);
    expect(pieces.every((piece) => piece.text.isWellFormed())).toBe(true);
    for (const html of notes) {
      expect(Math.max(html.length, Buffer.byteLength(html))).toBeLessThan(100_000);
      expect(harmIn(html, address)).toEqual([]);
    }
    const timeOf = (part: string): number =>
      quickest(() => piecesOf(message(part)).forEach((piece) => composeNote(header, [piece])));
    // What grew with the square of the length would take 64 times as long (T-25; in milliseconds: npm run bench).
    expect(timeOf(text) / Math.max(0.3, timeOf(text.slice(0, text.length / 8)))).toBeLessThan(40);
  },
);

test('a cut falls between characters as people see them, unless one is longer than anybody reads (X-24, X-25)', () => {
  const family = '👩‍👩‍👧';
  for (const { text } of piecesOf(message(family.repeat(5_000)))) expect(text.replaceAll(family, '')).toBe('');
});
