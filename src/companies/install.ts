// Install, re-install, uninstall (A2, A3).
import { timeText } from '../base/clock.ts';
import { UpstreamError } from '../base/errors.ts';
import type { Tx } from '../db/database.ts';
import { Company, Installation, User, type CompanyRow, type InstallationRow } from '../db/tables.ts';
import { authorizeUrl, exchangeCode, revokeGrant, type Tokens } from '../pipedrive/oauth.ts';
import { openRefreshToken, sealedTokens, type TokenDeps } from '../pipedrive/tokens.ts';
import { audit } from './audit.ts';
import { openState, ownPath, takeState } from './oauth-state.ts';
import { readProfile, storeProfile, type Profile } from './profile.ts';
import { openSession, type OpenedSession } from './session.ts';
import { firstNotifications, firstSettings } from './settings.ts';

export interface InstallDeps extends TokenDeps {
  /** How long a company's data is kept after its last user uninstalled. */
  readonly eraseAfterDays: number;
  /** Disconnects what the company has connected. */
  readonly onLastUserGone: (tx: Tx, companyId: string) => Promise<void>;
  /** Takes back what an interrupted uninstall left. */
  readonly onInstalled: (tx: Tx, grant: { companyId: string; userId: string }) => Promise<void>;
}

/** Where to send the browser to be asked by Pipedrive. */
export async function startInstall(deps: InstallDeps, input: { next: unknown; browser: string }): Promise<string> {
  const state = await openState(deps, { kind: 'pipedrive', browser: input.browser, next: ownPath(input.next) });
  return authorizeUrl(deps.settings, state);
}

export type InstallOutcome =
  | { readonly outcome: 'installed'; readonly session: OpenedSession; readonly next: string }
  | { readonly outcome: 'bad_state' | 'denied' | 'code_refused' | 'upstream' | 'wrong_company' };

/** The browser came back. Nothing is stored unless everything is there. */
export async function finishInstall(
  deps: InstallDeps,
  input: { code: unknown; state: unknown; error: unknown; browser: string | undefined },
): Promise<InstallOutcome> {
  const state = await takeState(deps, { kind: 'pipedrive', value: input.state, browser: input.browser });
  if (!state) return { outcome: 'bad_state' };
  if (input.error !== undefined) return { outcome: 'denied' };
  if (typeof input.code !== 'string' || input.code === '' || input.code.length > 5_000)
    return { outcome: 'code_refused' };
  try {
    const tokens = await exchangeCode(deps, input.code);
    const me = await readProfile(deps, {
      token: tokens.accessToken,
      apiBase: deps.settings.apiUrl ?? tokens.apiDomain,
    });
    const session = await deps.db.transaction((tx) => storeInstallation(deps, tx, tokens, me));
    deps.log.info({ companyId: me.companyId, userId: me.userId }, 'installed');
    return { outcome: 'installed', session, next: state.next };
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
    deps.log.info({ err: error }, 'an installation failed');
    return { outcome: error.kind === 'refused' && error.reason === 'invalid_grant' ? 'code_refused' : 'upstream' };
  }
}

async function storeInstallation(deps: InstallDeps, tx: Tx, tokens: Tokens, me: Profile): Promise<OpenedSession> {
  const now = timeText(deps.clock);
  const grant = { companyId: me.companyId, userId: me.userId };
  const known = await tx.one<CompanyRow>('select * from company where id = ?', [me.companyId]);
  if (known) {
    await tx.query('update company set name = ?, domain = ?, erase_at = null where id = ?', [
      me.companyName,
      me.companyDomain,
      me.companyId,
    ]);
  } else {
    await tx.insert(Company, {
      id: me.companyId,
      name: me.companyName,
      domain: me.companyDomain,
      settings: firstSettings(me),
      changeNumber: 0,
      eraseAt: null,
      historyCheckedAt: null,
      createdAt: now,
    });
  }
  await storeUser(tx, me, now);
  await tx.query('delete from installation where company_id = ? and user_id = ?', [me.companyId, me.userId]);
  await tx.insert(Installation, {
    ...grant,
    ...sealedTokens(deps, grant, tokens),
    state: 'active',
    refreshLeaseUntil: null,
    installedAt: now,
    refreshedAt: now,
  });
  await audit(deps, tx, { ...grant, act: 'installed' });
  await deps.onInstalled(tx, grant);
  return openSession(deps, tx, { ...grant, kind: 'page' });
}

async function storeUser(tx: Tx, me: Profile, now: string): Promise<void> {
  if (await storeProfile(tx, me, now)) return;
  await tx.insert(User, {
    companyId: me.companyId,
    id: me.userId,
    name: me.name,
    email: me.email,
    avatarUrl: me.avatarUrl,
    language: me.language,
    timeZone: me.timeZone,
    isAdmin: me.isAdmin ? 1 : 0,
    available: 1,
    notifications: JSON.stringify(firstNotifications),
    currency: me.currency,
    profileAt: now,
    createdAt: now,
  });
}

/** Pipedrive says that a user uninstalled: his tokens and sessions end at once; with the last user the company's data begins to run out. */
export function uninstall(deps: InstallDeps, grant: { companyId: string; userId: string }): Promise<void> {
  return deps.db.transaction(async (tx) => {
    const gone = await tx.query('delete from installation where company_id = ? and user_id = ? returning user_id', [
      grant.companyId,
      grant.userId,
    ]);
    await tx.query('delete from session where company_id = ? and user_id = ?', [grant.companyId, grant.userId]);
    if (gone.length === 0) return;
    await audit(deps, tx, { ...grant, act: 'uninstalled' });
    deps.log.info(grant, 'uninstalled');
    const left = await tx.one('select 1 from installation where company_id = ?', [grant.companyId]);
    if (left) return;
    await tx.query('update company set erase_at = ? where id = ?', [
      timeText(deps.clock, deps.eraseAfterDays * 86_400_000),
      grant.companyId,
    ]);
    await deps.onLastUserGone(tx, grant.companyId);
  });
}

/**
 * The operator removes a company: its grants are revoked at Pipedrive, its users signed out, and its data may be erased at
 * once. Answers how many users had the app. Pipedrive wants every uninstall on our side to revoke (UNINST).
 */
export async function removeCompany(deps: InstallDeps, companyId: string): Promise<number> {
  const installed = await deps.db.read((reader) =>
    reader.query<InstallationRow>('select * from installation where company_id = ?', [companyId]),
  );
  for (const row of installed) {
    await revokeGrant(deps, openRefreshToken(deps, row));
    await uninstall(deps, row);
  }
  await deps.db.transaction((tx) =>
    tx.query('update company set erase_at = ? where id = ?', [timeText(deps.clock), companyId]),
  );
  return installed.length;
}
