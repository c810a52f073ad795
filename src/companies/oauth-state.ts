// `state` values: random, bound to one browser by a cookie, used once, good for ten minutes (T-14).
import { timeText, type Clock } from '../base/clock.ts';
import { randomToken, sameSecret, sha256 } from '../base/crypto.ts';
import type { Database } from '../db/database.ts';
import { OauthState, type OauthStateRow } from '../db/tables.ts';

export interface StateDeps {
  readonly db: Database;
  readonly clock: Clock;
}

const lifeMs = 10 * 60_000;
/** For a login begun inside Pipedrive's frame, where no cookie of ours can be set: bound to the session's user alone. */
const unbound = '';

/** Makes a state for this browser. Answers the value to send along. */
export async function openState(
  deps: StateDeps,
  state: { kind: 'pipedrive' | 'meta'; browser: string | null; next: string; companyId?: string; userId?: string },
): Promise<string> {
  const value = randomToken();
  await deps.db.transaction(async (tx) => {
    await tx.query('delete from oauth_state where expires_at < ?', [timeText(deps.clock)]);
    await tx.insert(OauthState, {
      id: sha256(value),
      kind: state.kind,
      browserHash: state.browser === null ? unbound : sha256(state.browser),
      companyId: state.companyId ?? null,
      userId: state.userId ?? null,
      next: state.next,
      expiresAt: timeText(deps.clock, lifeMs),
    });
  });
  return value;
}

/** Uses a state up. Nothing when it is unknown, used, too old, of another kind or of another browser. */
export async function takeState(
  deps: StateDeps,
  given: { kind: 'pipedrive' | 'meta'; value: unknown; browser: string | undefined },
): Promise<OauthStateRow | undefined> {
  if (typeof given.value !== 'string' || given.value === '') return undefined;
  const id = sha256(given.value);
  const browserHash = sha256(given.browser ?? '');
  return deps.db.transaction(async (tx) => {
    const row = await tx.one<OauthStateRow>('select * from oauth_state where id = ? and kind = ?', [id, given.kind]);
    // Another browser must not use it up either.
    if (!row || row.expiresAt <= timeText(deps.clock)) return undefined;
    if (row.browserHash !== unbound && !sameSecret(row.browserHash, browserHash)) return undefined;
    const used = await tx.query('delete from oauth_state where id = ? returning id', [id]);
    return used.length > 0 ? row : undefined;
  });
}

/** A path of our own, or `/`: never another site (T-15). */
export function ownPath(next: unknown): string {
  if (typeof next !== 'string' || next.length > 500) return '/';
  const sound = /^\/(?:$|[A-Za-z0-9][A-Za-z0-9/_-]*)(?:\?[A-Za-z0-9=&_-]*)?$/.test(next);
  return sound ? next : '/';
}
