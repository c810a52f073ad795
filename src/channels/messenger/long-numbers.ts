// JSON in which some ids are numbers too long for JavaScript (webhook reference: payload.id, attachment_id, app_id).

/** Parses JSON, with integers of 16 and more digits as strings, so that no digit is lost. `undefined` when it is no JSON. */
export function parseJson(source: string): unknown {
  try {
    return withoutPrototype(JSON.parse(quoteLongIntegers(source)) as unknown, 0);
  } catch {
    return undefined;
  }
}

export type Json = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An id, whether it came as number or as text. */
export function idOf(value: unknown): string | null {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  return typeof value === 'string' && /^\d{1,40}$/.test(value) ? value : null;
}

/** Strings are skipped whole, so that digits inside a text stay as they are. */
function quoteLongIntegers(source: string): string {
  return source.replace(/"[^"\\]*(?:\\.[^"\\]*)*"|(-?\d{16,})(?![\d.eE])/g, (all, integer: string | undefined) =>
    integer === undefined ? all : `"${integer}"`,
  );
}

const deepest = 32;

/** A copy without `__proto__` and the like, and without bottomless nesting. */
function withoutPrototype(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth > deepest) return null;
  if (Array.isArray(value)) return value.map((item: unknown) => withoutPrototype(item, depth + 1));
  const entries = Object.entries(value).filter(
    ([name]) => name !== '__proto__' && name !== 'constructor' && name !== 'prototype',
  );
  return Object.fromEntries(entries.map(([name, item]) => [name, withoutPrototype(item, depth + 1)]));
}
