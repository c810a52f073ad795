// Access tokens: refreshed before they expire, once however many requests and processes ask (A4, P-06).
import { later, timeText, type Clock } from '../base/clock.ts';
import type { Vault } from '../base/crypto.ts';
import { UpstreamError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Database, Reader, Tx } from '../db/database.ts';
import type { InstallationRow } from '../db/tables.ts';
import { refreshTokens, type OauthDeps, type Tokens } from './oauth.ts';

export interface TokenDeps extends OauthDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly vault: Vault;
  /** Called when a grant is found dead, in the transaction that marks it. */
  readonly onReconnectNeeded: (tx: Tx, grant: Grant) => Promise<void>;
}

/** Which user's grant. */
export interface Grant {
  readonly companyId: string;
  readonly userId: string;
}

export interface Access {
  readonly token: string;
  /** Origin of the company's API, without path. */
  readonly apiBase: string;
  /** Which installation it is of: a later one has tokens of its own. */
  readonly installedAt: string;
}

const earlyMs = 5 * 60_000;
/** How long one process may take to refresh before another tries. */
const leaseMs = 20_000;
const waitMs = 100;

const refreshing = new WeakMap<Database, Map<string, Promise<Access>>>();

/** A token good for at least some minutes. `renew` names one that Pipedrive refused although it looked good. */
export async function accessToken(deps: TokenDeps, grant: Grant, renew?: string): Promise<Access> {
  const row = await readInstallation(deps, grant);
  const access = usable(deps, row, renew);
  if (access) return access;
  const ofDatabase = refreshing.get(deps.db) ?? new Map<string, Promise<Access>>();
  refreshing.set(deps.db, ofDatabase);
  const key = `${grant.companyId}:${grant.userId}`;
  const running = ofDatabase.get(key);
  if (running) return running;
  const begun = refreshOnce(deps, grant, renew).finally(() => ofDatabase.delete(key));
  ofDatabase.set(key, begun);
  return begun;
}

/** Users whose grant is alive: the preferred ones first, then admins, then the others (H8). */
export async function grantsInOrder(
  reader: Reader,
  companyId: string,
  preferred: readonly (string | null)[],
): Promise<Grant[]> {
  const rows = await reader.query<{ userId: string }>(
    `select i.user_id from installation i join app_user u on u.company_id = i.company_id and u.id = i.user_id
     where i.company_id = ? and i.state = 'active' order by u.is_admin desc, i.installed_at`,
    [companyId],
  );
  const alive = rows.map(({ userId }) => userId);
  const first = preferred.filter((userId): userId is string => userId !== null && alive.includes(userId));
  return [...new Set([...first, ...alive])].map((userId) => ({ companyId, userId }));
}

export function sealedTokens(deps: Pick<TokenDeps, 'vault' | 'clock'>, grant: Grant, tokens: Tokens) {
  return {
    sealedAccessToken: deps.vault.seal(tokens.accessToken, place(grant, 'access')),
    sealedRefreshToken: deps.vault.seal(tokens.refreshToken, place(grant, 'refresh')),
    accessExpiresAt: timeText(deps.clock, Math.min(tokens.expiresIn, 3_600) * 1_000),
    scope: tokens.scope,
    apiDomain: tokens.apiDomain,
  };
}

/** The clear refresh token of a row, for Pipedrive's eyes only. */
export function openRefreshToken(deps: Pick<TokenDeps, 'vault'>, row: InstallationRow): string {
  return deps.vault.open(row.sealedRefreshToken, place(row, 'refresh'));
}

function place(grant: Grant, field: 'access' | 'refresh'): string {
  return `installation:${grant.companyId}:${grant.userId}:${field}`;
}

async function readInstallation(deps: TokenDeps, grant: Grant): Promise<InstallationRow> {
  const row = await deps.db.read((reader) =>
    reader.one<InstallationRow>('select * from installation where company_id = ? and user_id = ?', [
      grant.companyId,
      grant.userId,
    ]),
  );
  if (!row || row.state === 'reconnect') throw new UpstreamError('pipedrive', 'reconnect', { reason: 'no_grant' });
  return row;
}

function usable(deps: TokenDeps, row: InstallationRow, refused?: string): Access | undefined {
  if (row.accessExpiresAt <= timeText(deps.clock, earlyMs)) return undefined;
  const access = accessOf(deps, row);
  return access.token === refused ? undefined : access;
}

function accessOf(deps: TokenDeps, row: InstallationRow): Access {
  try {
    const token = deps.vault.open(row.sealedAccessToken, place(row, 'access'));
    return { token, apiBase: deps.settings.apiUrl ?? row.apiDomain, installedAt: row.installedAt };
  } catch (cause) {
    // The key is gone or the row was tampered with: only a new install can mend it (C-01, C-05).
    throw new UpstreamError('pipedrive', 'reconnect', { reason: 'cannot_open_token', cause });
  }
}

async function refreshOnce(deps: TokenDeps, grant: Grant, refused: string | undefined): Promise<Access> {
  for (;;) {
    const row = await readInstallation(deps, grant);
    const access = usable(deps, row, refused);
    if (access) return access;
    if (await takeLease(deps, grant)) break;
    await deps.clock.sleep(waitMs);
  }
  // Somebody may have finished between our look and our lease.
  const row = await readInstallation(deps, grant);
  const ready = usable(deps, row, refused);
  if (ready) {
    await release(deps, grant);
    return ready;
  }
  return refreshNow(deps, grant, row);
}

async function refreshNow(deps: TokenDeps, grant: Grant, row: InstallationRow): Promise<Access> {
  let tokens: Tokens;
  try {
    tokens = await refreshTokens(deps, openRefreshToken(deps, row));
  } catch (error) {
    if (error instanceof UpstreamError && error.kind === 'reconnect')
      throw await deadOrReplaced(deps, grant, row.installedAt, error);
    await release(deps, grant);
    throw error;
  }
  const sealed = sealedTokens(deps, grant, tokens);
  // Committed before it is used: whatever refresh token came back, the old one may be dead already.
  const stored = await deps.db.transaction((tx) =>
    tx.query(
      `update installation set sealed_access_token = ?, sealed_refresh_token = ?, access_expires_at = ?, scope = ?,
         api_domain = ?, refreshed_at = ?, refresh_lease_until = null
       where company_id = ? and user_id = ? and installed_at = ? returning user_id`,
      [
        sealed.sealedAccessToken,
        sealed.sealedRefreshToken,
        sealed.accessExpiresAt,
        sealed.scope,
        sealed.apiDomain,
        timeText(deps.clock),
        grant.companyId,
        grant.userId,
        row.installedAt,
      ],
    ),
  );
  // Installed again meanwhile: those tokens count.
  if (stored.length === 0) return accessOf(deps, await readInstallation(deps, grant));
  const apiBase = deps.settings.apiUrl ?? tokens.apiDomain;
  return { token: tokens.accessToken, apiBase, installedAt: row.installedAt };
}

async function takeLease(deps: TokenDeps, grant: Grant): Promise<boolean> {
  const now = timeText(deps.clock);
  const taken = await deps.db.transaction((tx) =>
    tx.query(
      `update installation set refresh_lease_until = ? where company_id = ? and user_id = ?
         and (refresh_lease_until is null or refresh_lease_until < ?) returning user_id`,
      [later(now, leaseMs), grant.companyId, grant.userId, now],
    ),
  );
  return taken.length > 0;
}

async function release(deps: TokenDeps, grant: Grant): Promise<void> {
  await deps.db.transaction((tx) =>
    tx.query('update installation set refresh_lease_until = null where company_id = ? and user_id = ?', [
      grant.companyId,
      grant.userId,
    ]),
  );
}

/**
 * Pipedrive withdrew the grant: silence from now on, until the user installs again (P-07). If he has done so meanwhile, the
 * tokens that were refused are not his any more, nothing is wrong, and what was wanted may be tried again. Answers what to throw.
 */
export async function deadOrReplaced(
  deps: TokenDeps,
  grant: Grant,
  installedAt: string,
  refusal: UpstreamError,
): Promise<UpstreamError> {
  const dead = await deps.db.transaction(async (tx) => {
    const changed = await tx.query(
      `update installation set state = 'reconnect', refresh_lease_until = null
       where company_id = ? and user_id = ? and installed_at = ? and state = 'active' returning user_id`,
      [grant.companyId, grant.userId, installedAt],
    );
    if (changed.length === 0) return false;
    deps.log.warn({ companyId: grant.companyId, userId: grant.userId }, 'an installation needs re-install');
    await deps.onReconnectNeeded(tx, grant);
    return true;
  });
  if (dead) return refusal;
  const row = await readInstallation(deps, grant);
  return row.installedAt === installedAt
    ? refusal
    : new UpstreamError('pipedrive', 'retry', { reason: 'installed_again', cause: refusal });
}
