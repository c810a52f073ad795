// The table of contrasts (design: WCAG 2 relative luminance), computed from theme.css, so that a changed token cannot slip below.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const css = readFileSync(join(import.meta.dirname, '../../../extension-ui/src/theme.css'), 'utf8');

function tokensOf(theme: 'light' | 'dark'): Map<string, string> {
  const block = new RegExp(`\\[data-theme='${theme}'\\] \\{([^}]*)\\}`).exec(css)![1]!;
  return new Map([...block.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6});/g)].map(([, name, value]) => [name!, value!]));
}

function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
}

function contrast(left: string, right: string): number {
  const [dark, light] = [luminance(left), luminance(right)].sort((a, b) => a - b);
  return (light! + 0.05) / (dark! + 0.05);
}

/** Text on its grounds, and what it needs. */
const pairs: readonly (readonly [string, readonly string[], number])[] = [
  ['text', ['canvas', 'selected', 'bubble-out', 'bubble-in', 'raised', 'sunken'], 4.5],
  ['text-2', ['canvas', 'hover', 'selected', 'bubble-out', 'bubble-in', 'raised', 'sunken'], 4.5],
  ['text-3', ['canvas', 'sunken', 'hover', 'selected', 'bubble-in'], 4.5],
  ['accent', ['canvas', 'selected', 'bubble-in', 'bubble-out', 'warn-bg', 'bad-bg'], 4.5],
  ['on-accent', ['accent'], 4.5],
  ['on-primary', ['primary', 'primary-hover', 'primary-press'], 4.5],
  ['ok', ['canvas', 'ok-bg'], 4.5],
  ['warn', ['canvas', 'warn-bg', 'selected'], 4.5],
  ['bad', ['canvas', 'bad-bg', 'selected'], 4.5],
  ['on-bad', ['bad-solid'], 4.5],
  ['on-toast', ['toast'], 4.5],
  ['toast-act', ['toast'], 4.5],
  ['control', ['canvas', 'raised'], 3],
  ['switch-on', ['canvas', 'raised'], 3],
  ['whatsapp', ['canvas'], 3],
  ['messenger', ['canvas'], 3],
  ...[0, 1, 2, 3, 4, 5].map((tint) => [`ink-${tint}`, [`tint-${tint}`], 4.5] as const),
];

describe.each(['light', 'dark'] as const)('in the %s theme', (theme) => {
  const tokens = tokensOf(theme);

  test.each(pairs)('%s is legible on %j (at least %d to 1)', (front, grounds, needed) => {
    for (const ground of grounds) {
      const [over, under] = [tokens.get(front), tokens.get(ground)];
      expect(over, front).toBeDefined();
      expect(under, ground).toBeDefined();
      expect(contrast(over!, under!), `${front} on ${ground}`).toBeGreaterThanOrEqual(needed);
    }
  });

  test('the white knob of a switch that is on stands out', () => {
    expect(contrast('#ffffff', tokens.get('switch-on')!)).toBeGreaterThanOrEqual(3);
  });
});

test('black on white is 21 to 1, and a colour on itself 1 to 1', () => {
  expect(contrast('#000000', '#ffffff')).toBeCloseTo(21, 1);
  expect(contrast('#555a64', '#555a64')).toBe(1);
});
