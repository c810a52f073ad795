// Who a user is at Pipedrive: name, language, time zone and rights. Read when he installs, and again from time to time, since
// rights and languages change there and nobody tells us (A2, A7, U1).
import { z } from 'zod';
import { isTimeZone, timeText, type Clock } from '../base/clock.ts';
import { UpstreamError } from '../base/errors.ts';
import { nearestLanguage } from '../base/texts.ts';
import type { Database, Tx } from '../db/database.ts';
import type { Flag, UserRow } from '../db/tables.ts';
import { defineTask, type Queue } from '../jobs/queue.ts';
import { accessToken, type Access, type Grant, type TokenDeps } from '../pipedrive/tokens.ts';

export interface Profile {
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
  /** ISO 4217. */
  readonly currency: string | null;
}

export interface ProfileDeps extends TokenDeps {
  readonly onUserChanged: (tx: Tx, grant: Grant) => Promise<void>;
}

/** What was read longer ago than this is read again when the user opens a surface. */
const freshMs = 3_600_000;

/** Has an old profile read anew, in the background: nobody waits for it. */
export async function refreshProfileIfOld(
  deps: { readonly db: Database; readonly clock: Clock; readonly queue: Queue },
  user: UserRow,
): Promise<void> {
  if (user.profileAt !== null && user.profileAt > timeText(deps.clock, -freshMs)) return;
  const { companyId, id: userId } = user;
  await deps.db.transaction((tx) =>
    deps.queue.enqueue(tx, refreshProfile, { companyId, userId }, { key: `${companyId}:${userId}` }),
  );
}

export const refreshProfile = defineTask(
  'refresh-profile',
  z.object({ companyId: z.string(), userId: z.string() }),
  async (deps: ProfileDeps, grant) => {
    const profile = await readGranted(deps, grant);
    // A token that speaks of somebody else is no reason to change this user.
    if (!profile || profile.companyId !== grant.companyId || profile.userId !== grant.userId) return;
    await deps.db.transaction(async (tx) => {
      if (await storeProfile(tx, profile, timeText(deps.clock))) await deps.onUserChanged(tx, grant);
    });
  },
  { maxAttempts: 3 },
);

/** Nothing when the grant is gone: the next install reads the profile anyway. */
async function readGranted(deps: ProfileDeps, grant: Grant): Promise<Profile | undefined> {
  try {
    return await readProfile(deps, await accessToken(deps, grant));
  } catch (error) {
    if (error instanceof UpstreamError && error.kind === 'reconnect') return undefined;
    throw error;
  }
}

/** Answers whether the user is known. */
export async function storeProfile(tx: Tx, me: Profile, now: string): Promise<boolean> {
  const isAdmin: Flag = me.isAdmin ? 1 : 0;
  const updated = await tx.query(
    `update app_user set name = ?, email = ?, avatar_url = ?, language = ?, time_zone = ?, is_admin = ?, currency = ?,
       profile_at = ?
     where company_id = ? and id = ? returning id`,
    [me.name, me.email, me.avatarUrl, me.language, me.timeZone, isAdmin, me.currency, now, me.companyId, me.userId],
  );
  return updated.length > 0;
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
    default_currency: z.string().nullish(),
    language: z.object({ language_code: z.string() }).nullish(),
    access: z.array(z.object({ app: z.string(), admin: z.boolean().nullish() })).nullish(),
  }),
});

/** `/users/me`: who a token belongs to; the answer that brought the token names neither company nor user. */
export async function readProfile(
  deps: Pick<TokenDeps, 'send'>,
  access: Pick<Access, 'token' | 'apiBase'>,
): Promise<Profile> {
  const response = await deps.send({
    service: 'pipedrive',
    method: 'GET',
    url: `${access.apiBase}/api/v1/users/me`,
    headers: { authorization: `Bearer ${access.token}`, accept: 'application/json' },
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
    currency: /^[A-Z]{3}$/.test(me.default_currency ?? '') ? me.default_currency! : null,
  };
}
