// What a refusal of the database means: that it is out of order, that somebody was quicker, that two waited for each other.

/**
 * Whether the database itself is out of order (gone, full, locked, read-only) rather than one piece of work: then a group is
 * refused as it is, at once, since each of its parts alone would fail the same way, and each after a wait of its own (I-03).
 * Codes: PostgreSQL's classes 08, 53, 55, 57; SQLite's result codes; the network's. `pg` gives none when a connection ends.
 */
export function isOutage(error: unknown): boolean {
  const cause = (error as { driverError?: unknown } | null)?.driverError ?? error;
  const { code, message } = (cause ?? {}) as { code?: unknown; message?: unknown };
  if (typeof code === 'string') {
    return /^(08|53|55|57)|^SQLITE_(FULL|IOERR|BUSY|LOCKED|READONLY|CANTOPEN|CORRUPT|NOMEM)|^E[A-Z]+$/.test(code);
  }
  return (
    typeof message === 'string' && /^(Connection terminated|timeout exceeded when trying to connect)/.test(message)
  );
}

/** PostgreSQL's code, when it is PostgreSQL that refused. */
function codeOf(error: unknown): unknown {
  return (error as { driverError?: { code?: unknown } } | null)?.driverError?.code;
}

/** What it wanted to store, another transaction has stored meanwhile (23505): the next look finds it. */
export function wasOvertaken(error: unknown): boolean {
  return codeOf(error) === '23505';
}

/** PostgreSQL ended one of two transactions that waited for each other (40P01). */
export function wasDeadlock(error: unknown): boolean {
  return codeOf(error) === '40P01';
}
