// What work that reads and writes is handed: one statement at a time, alike on SQLite and PostgreSQL.
import type { EntitySchema } from 'typeorm';

export type Value = string | number | null;

export interface Reader {
  readonly kind: 'sqlite' | 'postgres';
  /**
   * Rows of one statement, columns in camelCase. `?` marks a parameter on both databases. `prepared` is for the few that run
   * with every message: PostgreSQL plans them once for each connection. They name their columns: what `*` stands for may
   * change under a statement that was prepared before another process changed the schema.
   */
  query<Row = Record<string, Value>>(
    sql: string,
    parameters?: readonly Value[],
    options?: { readonly prepared?: boolean },
  ): Promise<Row[]>;
  /** The first row, or nothing. */
  one<Row = Record<string, Value>>(
    sql: string,
    parameters?: readonly Value[],
    options?: { readonly prepared?: boolean },
  ): Promise<Row | undefined>;
}

export interface Tx extends Reader {
  /** Inserts whole rows. With `orIgnore` a row that breaks a unique rule is left out, silently. */
  insert<Row extends object>(
    table: EntitySchema<Row>,
    rows: Row | readonly Row[],
    options?: { orIgnore?: boolean },
  ): Promise<void>;
  /**
   * Hands a row to `write` together with all that are handed to it until something else is asked of the transaction, or its
   * end: many of one kind become one statement. Kinds are written in the order in which they were first handed over.
   */
  gather<Row>(write: GatheredWrite<Row>, row: Row): void;
  /** Runs `work` as the last thing before the commit, once for each `key`. */
  beforeCommit(key: string, work: (tx: Tx) => Promise<void>): void;
  /** Runs `work` after the commit, and never otherwise. What it throws is logged: committed is committed. */
  afterCommit(work: () => void): void;
}

/** Writes rows that were gathered. It is told apart from others by its identity: a function of a module, not of a call. */
export type GatheredWrite<Row> = (tx: Pick<Tx, 'kind' | 'query' | 'insert'>, rows: readonly Row[]) => Promise<void>;

/** Reads for all items of a group at once; each of them may change what the next one finds. */
export type GroupReading<Item, Found> = (tx: Tx, items: readonly Item[]) => Promise<Found>;
