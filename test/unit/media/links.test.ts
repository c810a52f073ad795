// Links to attachments: bound to one file and one company, expiring; and names that are safe everywhere (F-01 to F-05, F-14).
import { describe, expect, test } from 'vitest';
import { createMediaLinks, safeFileName } from '../../../src/media/links.ts';
import { createTestClock } from '../../support/clock.ts';

test.each([
  ['F-01', '../../etc/passwd', 'passwd'],
  ['F-02', '..\\..\\win.ini', 'win.ini'],
  ['F-03', '%2e%2e%2f', '%2e%2e%2f'],
  ['F-03 NUL', 'a\u0000b.txt', 'ab.txt'],
  ['F-04 absolute', '/etc/shadow', 'shadow'],
  ['F-04 only dots', '....', 'file'],
  ['F-04 hidden', '.htaccess', 'htaccess'],
  ['F-05 quotes and a second name', 'a"; filename="evil.html', 'a; filename=evil.html'],
  ['F-05 line breaks', 'a\r\nSet-Cookie: x', 'aSet-Cookie x'],
  ['X-19 direction marks', 'invoice\u202efdp.exe', 'invoicefdp.exe'],
  ['nothing', '', 'file'],
  ['Swedish', 'Räksmörgås å.pdf', 'Räksmörgås å.pdf'],
])('%s: %j is saved as %j', (_, given, safe) => {
  expect(safeFileName(given)).toBe(safe);
});

test('a long name is cut, keeps its ending, and no character is cut in two (F-04)', () => {
  const name = safeFileName(`${'👩‍👩‍👧å'.repeat(200)}.pdf`);

  expect([...name].length).toBeLessThanOrEqual(100);
  expect(name.endsWith('.pdf')).toBe(true);
  expect(name.isWellFormed()).toBe(true);
  expect(() => encodeURIComponent(name)).not.toThrow();
});

describe('a link', () => {
  const clock = createTestClock();
  const links = createMediaLinks({ secret: 's'.repeat(32), publicUrl: 'https://inbox.example.com', clock });
  const file = { id: 'file-1', companyId: '7', name: 'a b&c.png' };
  const made = () => new URL(links.link(file, 'browser'));
  const query = (change: Record<string, unknown> = {}) => ({ ...Object.fromEntries(made().searchParams), ...change });

  test('opens its own file for its own company', () => {
    expect(made().pathname).toBe('/media/file-1/a%20b%26c.png');
    expect(links.check('file-1', query())).toEqual({ companyId: '7' });
  });

  test.each<[string, string, Record<string, unknown>]>([
    ['of another file', 'file-2', {}],
    ['with another company', 'file-1', { c: '8' }],
    ['with a later end', 'file-1', { e: '9999999999999' }],
    ['without its signature', 'file-1', { s: undefined }],
    ['with an empty signature', 'file-1', { s: '' }],
    ['with two signatures', 'file-1', { s: ['a', 'b'] }],
    ['with a signature of equal length', 'file-1', { s: 'A'.repeat(43) }],
  ])('%s opens nothing (F-14, A-25, A-26)', (_, id, change) => {
    expect(links.check(id, query(change))).toBeUndefined();
  });

  test('ends: minutes for a browser, hours for a provider; read again it stays the same for a while', () => {
    const asked = query();
    const forProvider = Object.fromEntries(new URL(links.link(file, 'provider')).searchParams);
    expect(links.link(file, 'browser')).toBe(made().href);

    clock.advance(10 * 60_000 + 1);
    expect(links.check('file-1', asked)).toBeUndefined();
    expect(links.check('file-1', forProvider)).toEqual({ companyId: '7' });
    clock.advance(5 * 3_600_000);
    expect(links.check('file-1', forProvider)).toBeUndefined();
  });

  test('made with another secret opens nothing', () => {
    const others = createMediaLinks({ secret: 't'.repeat(32), publicUrl: 'https://inbox.example.com', clock });

    expect(
      links.check('file-1', Object.fromEntries(new URL(others.link(file, 'browser')).searchParams)),
    ).toBeUndefined();
  });
});
