// The `fields` parameter: `id,messages.limit(5){id,from}` into a tree, and objects cut to it.
import { invalid } from './graph.ts';

export interface Field {
  name: string;
  limit: number | null;
  inner: Field[];
}

export function parseFields(text: string): Field[] {
  const found = new Reader(text).list();
  if (found.rest !== '') throw invalid(`Syntax error in fields near "${found.rest.slice(0, 20)}"`);
  return found.fields;
}

class Reader {
  private at = 0;
  private readonly text: string;

  constructor(text: string) {
    this.text = text.replace(/\s+/g, '');
  }

  list(): { fields: Field[]; rest: string } {
    const fields: Field[] = [];
    while (this.at < this.text.length && this.text[this.at] !== '}') {
      const head = /^([a-z_]+)((?:\.[a-z_]+\([^)]*\))*)/i.exec(this.text.slice(this.at));
      if (!head?.[1]) break;
      this.at += head[0].length;
      const limit = /\.limit\((\d+)\)/.exec(head[2] ?? '');
      const field: Field = { name: head[1], limit: limit ? Number(limit[1]) : null, inner: [] };
      if (this.text[this.at] === '{') {
        this.at += 1;
        field.inner = this.list().fields;
        if (this.text[this.at] !== '}') break;
        this.at += 1;
      }
      fields.push(field);
      if (this.text[this.at] === ',') this.at += 1;
    }
    return { fields, rest: this.text.slice(this.at) };
  }
}

/** The asked-for fields of an object; `id` comes along always, unknown names are an error, null and undefined stay away. */
export function cut(
  node: string,
  fields: readonly Field[],
  values: Readonly<Record<string, (field: Field) => unknown>>,
): Record<string, unknown> {
  const chosen: Record<string, unknown> = {};
  for (const field of fields) {
    const read = values[field.name];
    if (!read) throw invalid(`Tried accessing nonexisting field (${field.name}) on node type (${node})`);
    const value = read(field);
    if (value !== undefined && value !== null) chosen[field.name] = value;
  }
  if (values.id) chosen.id = values.id({ name: 'id', limit: null, inner: [] });
  return chosen;
}

/** One page of a list with cursors. */
export function pageThrough<T>(
  all: readonly T[],
  query: URLSearchParams,
  addressOf: (after: string) => string,
  usual = 25,
): { shown: T[]; paging: object | undefined } {
  const limit = Math.min(Number(query.get('limit') ?? usual), 100);
  if (!Number.isInteger(limit) || limit < 1) throw invalid('limit must be a positive number');
  const after = query.get('after');
  const start = after === null ? 0 : Number(Buffer.from(after, 'base64url').toString('utf8').replace('c', ''));
  if (!Number.isInteger(start)) throw invalid('Invalid cursors values');
  const cursor = (index: number) => Buffer.from(`c${index}`).toString('base64url');
  const shown = all.slice(start, start + limit);
  if (shown.length === 0) return { shown, paging: undefined };
  const end = start + shown.length;
  const next = end < all.length ? { next: addressOf(cursor(end)) } : {};
  return { shown, paging: { cursors: { before: cursor(start), after: cursor(end) }, ...next } };
}
