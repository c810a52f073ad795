// What a surface makes a browser load: it stands inside another company's page, so its size is felt (B-13).
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';

const built = join(import.meta.dirname, '../../dist/ui');

/** Files under `/ui/assets/` that an entry names, and what these import before anything is drawn. */
function loaded(entry: string, ending: string): string[] {
  const found = new Set<string>();
  const visit = (text: string, pattern: RegExp): void => {
    for (const [, name] of text.matchAll(pattern)) {
      if (!name!.endsWith(ending) || found.has(name!)) continue;
      found.add(name!);
      visit(readFileSync(join(built, 'assets', name!), 'utf8'), /(?:from|import)\s*["']\.\/([\w.-]+)["']/g);
    }
  };
  visit(readFileSync(join(built, `${entry}.html`), 'utf8'), /(?:src|href)="\/ui\/assets\/([\w.-]+)"/g);
  return [...found];
}

const kilobytes = (files: readonly string[]): number =>
  files.reduce((sum, name) => sum + gzipSync(readFileSync(join(built, 'assets', name))).length, 0) / 1_000;

test('the script of the floating window stays under 60 kB compressed', () => {
  const files = loaded('window', '.js');

  expect(files.length).toBeGreaterThan(0);
  expect(kilobytes(files)).toBeLessThan(60);
});

test.each(['panel', 'modal', 'settings'])('script and style of %s stay under 90 kB compressed', (name) => {
  const size = kilobytes([...loaded(name, '.js'), ...loaded(name, '.css')]);

  expect(size).toBeGreaterThan(1);
  expect(size).toBeLessThan(90);
});

test('script and style of the full page stay under 150 kB compressed', () => {
  expect(kilobytes([...loaded('page', '.js'), ...loaded('page', '.css')])).toBeLessThan(150);
});
