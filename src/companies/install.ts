// Install, re-install, uninstall (A2, A3).
import { z } from 'zod';
import { timeText } from '../base/clock.ts';
import { nearestLanguage } from '../base/texts.ts';
import { UpstreamError } from '../base/errors.ts';
import type { Tx } from '../db/database.ts';
import { Company, Installation, User, type CompanyRow, type Flag, type InstallationRow } from '../db/tables.ts';
import { authorizeUrl, exchangeCode, revokeGrant, type Tokens } from '../pipedrive/oauth.ts';
import { openRefreshToken, sealedTokens, type TokenDeps } from '../pipedrive/tokens.ts';
import { audit } from './audit.ts';
import { openState, ownPath, takeState } from './oauth-state.ts';
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
    const me = await readMe(deps, tokens);
    const session = await deps.db.transaction((tx) => storeInstallation(deps, tx, tokens, me));
    deps.log.info({ companyId: me.companyId, userId: me.userId }, 'installed');
    return { outcome: 'installed', session, next: state.next };
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
    deps.log.info({ err: error }, 'an installation failed');
    return { outcome: error.kind === 'refused' && error.reason === 'invalid_grant' ? 'code_refused' : 'upstream' };
  }
}

const meShape = z.object({
  data: z.object({
    id: z.number().int().positive(),
    name: z.string().min(1),
    email: z.string(),
    icon_url: z.string().nullish(),
    company_id: z.number().int().positive(),
    company_name: z.string(),
    company_domain: z.string().regex(/^[a-z0-9-]{1,100}$/i),
    timezone_name: z.string().nullish(),
    language: z.object({ language_code: z.string() }).nullish(),
    access: z.array(z.object({ app: z.string(), admin: z.boolean().nullish() })).nullish(),
  }),
});

interface Me {
  readonly companyId: string;
  readonly userId: string;
  readonly companyName: string;
  readonly companyDomain: string;
  readonly name: string;
  readonly email: string;
  readonly avatarUrl: string | null;
  readonly language: 'en' | 'sv';
  readonly timeZone: string;
  readonly isAdmin: boolean;
}

/** `/users/me`: who the tokens belong to; the token answer itself names neither company nor user. */
async function readMe(deps: InstallDeps, tokens: Tokens): Promise<Me> {
  const response = await deps.send({
    service: 'pipedrive',
    method: 'GET',
    url: `${deps.settings.apiUrl ?? tokens.apiDomain}/api/v1/users/me`,
    headers: { authorization: `Bearer ${tokens.accessToken}`, accept: 'application/json' },
  });
  const parsed = meShape.safeParse(response.json);
  if (response.status !== 200 || !parsed.success) {
    throw new UpstreamError('pipedrive', 'retry', { status: response.status, reason: 'users_me' });
  }
  const me = parsed.data.data;
  return {
    companyId: String(me.company_id),
    userId: String(me.id),
    companyName: me.company_name,
    companyDomain: me.company_domain,
    name: me.name,
    email: me.email,
    avatarUrl: me.icon_url ?? null,
    language: nearestLanguage(me.language?.language_code),
    timeZone: isTimeZone(me.timezone_name) ? me.timezone_name : 'UTC',
    isAdmin: (me.access ?? []).some(({ app, admin }) => app === 'account_settings' && admin === true),
  };
}

function isTimeZone(name: string | null | undefined): name is string {
  if (!name) return false;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).format(0) !== '';
  } catch {
    return false;
  }
}

async function storeInstallation(deps: InstallDeps, tx: Tx, tokens: Tokens, me: Me): Promise<OpenedSession> {
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

async function storeUser(tx: Tx, me: Me, now: string): Promise<void> {
  const isAdmin: Flag = me.isAdmin ? 1 : 0;
  const updated = await tx.query(
    `update app_user set name = ?, email = ?, avatar_url = ?, language = ?, time_zone = ?, is_admin = ?
     where company_id = ? and id = ? returning id`,
    [me.name, me.email, me.avatarUrl, me.language, me.timeZone, isAdmin, me.companyId, me.userId],
  );
  if (updated.length > 0) return;
  await tx.insert(User, {
    companyId: me.companyId,
    id: me.userId,
    name: me.name,
    email: me.email,
    avatarUrl: me.avatarUrl,
    language: me.language,
    timeZone: me.timeZone,
    isAdmin,
    available: 1,
    notifications: JSON.stringify(firstNotifications),
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
