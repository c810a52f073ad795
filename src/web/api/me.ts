// Calls about the user behind the session, his colleagues and his company's settings.
import { timeText } from '../../base/clock.ts';
import { UserError } from '../../base/errors.ts';
import { bridgeOf } from '../../bridge/state.ts';
import type { Viewer } from '../../companies/access.ts';
import { audit } from '../../companies/audit.ts';
import { setAvailability } from '../../companies/availability.ts';
import { refreshProfileIfOld } from '../../companies/profile.ts';
import { endSession, sessionFromSignedToken, viewerOf, type SessionDeps } from '../../companies/session.ts';
import { changeSettings, parseNotifications, parseSettings, readSettings } from '../../companies/settings.ts';
import type { CompanyRow, UserRow } from '../../db/tables.ts';
import type { InboxDeps } from '../../inbox/deps.ts';
import { unsubscribeBrowser } from '../../notify/subscriptions.ts';
import { budgetOf, budgetState } from '../../pipedrive/client.ts';
import type { Colleague, Company, Me, User } from '../contract.ts';
import { noContent, ok, type CallAnswer, type Handlers } from '../handler.ts';

export interface MeCallDeps {
  readonly inbox: InboxDeps;
  readonly session: SessionDeps;
  readonly notesWaiting: (companyId: string) => Promise<number>;
  /** The key that browsers subscribe with, and whether there is a mail server. */
  readonly ways: { readonly pushKey: string | null; readonly mails: boolean };
  /** Why there is no bridge for a company that has not come to it yet. */
  readonly bridgeOff: 'switched_off' | 'no_channel';
}

export function meCalls(deps: MeCallDeps): Handlers {
  const { inbox } = deps;
  const { db } = inbox;
  const setAvailable = async (viewer: Viewer, userId: string, body: unknown): Promise<CallAnswer> => {
    const { available } = body as { available: boolean };
    await db.transaction(async (tx) => {
      await setAvailability(tx, viewer, userId, available);
      await inbox.changes.record(tx, { kind: 'user.changed', companyId: viewer.companyId, userId });
    });
    return ok({ available });
  };
  return {
    getMe: async ({ viewer }) => ok(await readMe(deps, viewer)),
    endSession: async ({ viewer }) => {
      await unsubscribeBrowser(inbox, viewer);
      await db.transaction((tx) => endSession(tx, viewer));
      return noContent;
    },
    setMyAvailability: ({ viewer, body }) => setAvailable(viewer, viewer.userId, body),
    setUserAvailability: ({ viewer, params, body }) => setAvailable(viewer, params.id!, body),
    listUsers: async ({ viewer }) => {
      const rows = await db.read((reader) =>
        reader.query<UserRow>(
          `select u.* from app_user u join installation i on i.company_id = u.company_id and i.user_id = u.id
           where u.company_id = ? order by u.name, u.id`,
          [viewer.companyId],
        ),
      );
      return ok({ data: rows.map(colleagueShape), nextCursor: null });
    },
    getSettings: async ({ viewer }) => ok(await db.read((reader) => readSettings(reader, viewer.companyId))),
    changeSettings: async ({ viewer, body }) =>
      ok(
        await db.transaction(async (tx) => {
          const settings = await changeSettings(tx, viewer, body);
          const { companyId, userId } = viewer;
          await audit(inbox, tx, { companyId, userId, act: 'settings_changed', details: body });
          return settings;
        }),
      ),
  };
}

/** The one call that needs no session: Pipedrive's signed token proves the user (A5). */
export async function createSession(deps: MeCallDeps, body: { token: string }): Promise<CallAnswer> {
  const session = await sessionFromSignedToken(deps.session, body.token);
  const viewer = await deps.inbox.db.read((reader) => viewerOf(deps.session, reader, session.token));
  if (!viewer) throw new UserError('unauthenticated');
  return ok({
    token: session.token,
    expiresAt: session.expiresAt,
    user: userShape(session.user),
    company: companyShape(session.company),
    me: await readMe(deps, viewer),
  });
}

async function readMe(deps: MeCallDeps, viewer: Viewer): Promise<Me> {
  const { db, clock } = deps.inbox;
  const found = await db.read(async (reader) => ({
    company: await reader.one<CompanyRow>('select * from company where id = ?', [viewer.companyId]),
    user: await reader.one<UserRow>('select * from app_user where company_id = ? and id = ?', [
      viewer.companyId,
      viewer.userId,
    ]),
    dead: await reader.one(`select 1 from installation where company_id = ? and user_id = ? and state = 'reconnect'`, [
      viewer.companyId,
      viewer.userId,
    ]),
    budget: await budgetOf(reader, viewer.companyId),
    bridge: await bridgeOf(reader, viewer.companyId),
  }));
  const { company, user, budget, bridge } = found;
  if (!company || !user) throw new UserError('unauthenticated');
  await refreshProfileIfOld(deps.inbox, user);
  const notesWaiting = await deps.notesWaiting(viewer.companyId);
  const { reason, resetsAt } = budgetState(budget, timeText(clock));
  return {
    user: userShape(user),
    company: companyShape(company),
    settings: parseSettings(company),
    availability: { available: user.available === 1 },
    notifications: parseNotifications(user.notifications),
    ways: { pushKey: deps.ways.pushKey, mailAddress: deps.ways.mails && user.email !== '' ? user.email : null },
    bridge: { state: bridge?.state ?? 'off', reason: bridge ? bridge.reason : deps.bridgeOff },
    tokenBudget: {
      limit: budget?.dailyLimit ?? null,
      remaining: budget?.remaining ?? null,
      resetsAt,
      notesWaiting,
      reason,
    },
    reconnectNeeded: found.dead !== undefined,
    serverTime: timeText(clock),
    changeNumber: company.changeNumber,
  };
}

function userShape(row: UserRow): User {
  return {
    id: row.id,
    name: row.name,
    email: row.email,
    avatarUrl: row.avatarUrl,
    language: row.language === 'sv' ? 'sv' : 'en',
    timeZone: row.timeZone,
    currency: row.currency,
    isAdmin: row.isAdmin === 1,
    available: row.available === 1,
  };
}

function colleagueShape(row: UserRow): Colleague {
  const { id, name, avatarUrl, available, isAdmin } = userShape(row);
  return { id, name, avatarUrl, available, isAdmin };
}

function companyShape(row: CompanyRow): Company {
  return { id: row.id, name: row.name, domain: row.domain };
}
