// What `manifest/` holds for Developer Hub keeps to its limits (dossier 6.1), and the manifest is the one the app serves.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { imageSize } from '../../src/media/image-size.ts';
import { messagingManifest } from '../../src/web/leads-inbox.ts';

const folder = join(import.meta.dirname, '../../manifest');
const read = (name: string): Buffer => readFileSync(join(folder, name));

test('the manifest in the repository is made of the example address, with every address of the app', () => {
  expect(JSON.parse(read('messaging-manifest.json').toString())).toEqual(
    messagingManifest('https://inbox.example.com'),
  );
});

test('icon and pictures have the sizes that are asked for', () => {
  expect(imageSize(read('icon.png'))).toEqual({ width: 512, height: 512 });
  const names = readdirSync(join(folder, 'pictures'));
  const listing = names.filter((name) => name.endsWith('.png'));
  const onboarding = names.filter((name) => name.endsWith('.jpg'));

  expect(listing.length).toBeGreaterThanOrEqual(3);
  expect(listing.length).toBeLessThanOrEqual(5);
  for (const name of listing) {
    const bytes = read(`pictures/${name}`);
    const { width, height } = imageSize(bytes)!;
    expect.soft(width / height, name).toBe(16 / 10);
    expect.soft(width, name).toBeGreaterThanOrEqual(1_280);
    expect.soft(width, name).toBeLessThanOrEqual(2_880);
    expect.soft(bytes.length, name).toBeLessThan(10_000_000);
  }
  for (const name of onboarding) {
    const bytes = read(`pictures/${name}`);
    expect.soft(imageSize(bytes), name).toEqual({ width: 720, height: 400 });
    expect.soft(bytes.length, name).toBeLessThanOrEqual(100_000);
  }
});

test.each(['listing.en.md', 'listing.sv.md'])('the texts of %s are no longer than allowed', (name) => {
  const text = read(name).toString();
  const sections = [
    ...text.matchAll(
      /^\*\*(?<title>[^*]+)\*\* \((?:at most|högst) (?<limit>\d+)[^)]*\):?(?<words>[^]*?)(?=^\*\*|$(?![^]))/gm,
    ),
  ].map(({ groups }) => groups as { title: string; limit: string; words: string });
  const rows = [...text.matchAll(/^\| `(pictures\/.+?)` +\| (.+?) +\| (.+?) +\|$/gm)];

  expect(sections.map(({ limit }) => Number(limit))).toEqual([30, 150, 1_500, 1_500, 150, 350]);
  for (const { title, limit, words } of sections) {
    // A list has a text an item, behind what it is for.
    const texts =
      title.startsWith('Extension') || title.startsWith('Beskrivningar') ? words.trim().split('\n') : [words];
    for (const each of texts)
      expect.soft(each.replace(/^- [^:]+: /, '').trim().length, title).toBeLessThanOrEqual(Number(limit));
  }
  expect(rows).toHaveLength(4);
  for (const [, picture, title, words] of rows) {
    expect(read(picture!).length).toBeGreaterThan(0);
    expect.soft(title!.length, title).toBeLessThanOrEqual(70);
    expect.soft(words!.length, words).toBeLessThanOrEqual(200);
  }
});
