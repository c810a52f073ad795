// One statement on one connection: parameters and names of columns as the rest of the app knows them.
import { createHash } from 'node:crypto';
import type { ClientBase } from 'pg';
import type { QueryRunner } from 'typeorm';
import type { Reader, Value } from './tx.ts';

export function readerOf(runner: QueryRunner, kind: Reader['kind']): Reader {
  const query: Reader['query'] = async (sql, parameters = [], { prepared = false } = {}) => {
    const rows: unknown =
      kind === 'postgres' && prepared
        ? await preparedQuery(runner, sql, parameters)
        : await runner.query(kind === 'postgres' ? numbered(sql) : sql, [...parameters]);
    // For `update … returning` the PostgreSQL driver answers [rows, count].
    const list = Array.isArray(rows) && rows.length === 2 && Array.isArray(rows[0]) ? (rows[0] as unknown[]) : rows;
    return (Array.isArray(list) ? list : []).map((row) => camelRow(row as Record<string, unknown>)) as never[];
  };
  return { kind, query, one: async (sql, parameters, options) => (await query<never>(sql, parameters, options))[0] };
}

/** The ORM has no way to name a statement; its connection is the driver's own. */
async function preparedQuery(runner: QueryRunner, sql: string, parameters: readonly Value[]): Promise<unknown[]> {
  const client = (await runner.connect()) as ClientBase;
  let name = preparedNames.get(sql);
  if (name === undefined) {
    name = `inbox-${createHash('sha256').update(sql).digest('base64url').slice(0, 20)}`;
    preparedNames.set(sql, name);
  }
  const { rows } = await client.query<object>({ name, text: numbered(sql), values: [...parameters] });
  return rows;
}

const preparedNames = new Map<string, string>();

const numberedStatements = new Map<string, string>();

function numbered(sql: string): string {
  let known = numberedStatements.get(sql);
  if (known === undefined) {
    let count = 0;
    known = sql.replace(/\?/g, () => `$${++count}`);
    if (numberedStatements.size < 2_000) numberedStatements.set(sql, known);
  }
  return known;
}

const camelNames = new Map<string, string>();

function camelRow(row: Record<string, unknown>): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const name in row) {
    let camel = camelNames.get(name);
    if (camel === undefined) {
      camel = name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
      camelNames.set(name, camel);
    }
    result[camel] = row[name];
  }
  return result;
}
