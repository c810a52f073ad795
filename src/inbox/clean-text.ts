// Text from outside in a form that both databases take alike.

/** Without NUL, which PostgreSQL refuses, and without lone surrogates, which each database would replace in its own way. */
export function cleanText(text: string): string {
  return text.replaceAll('\u0000', '').toWellFormed();
}

/** The same for every string inside a value of plain data. */
export function cleanTexts<T>(value: T): T {
  if (typeof value === 'string') return cleanText(value) as T;
  if (Array.isArray(value)) return value.map((item: unknown) => cleanTexts(item)) as T;
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, cleanTexts<unknown>(item)])) as T;
  }
  return value;
}

/** A name that shares its line with other words: what could turn them around is left out. */
export function withoutMarks(text: string): string {
  return text.replace(/[\u202a-\u202e\u2066-\u2069]/g, '');
}
