// Sessions: a random token of ours, stored by its hash; opened for Pipedrive's signed token or for a sign-in on the full page (A5).
import type { KeyObject } from 'node:crypto';
import { timeText, type Clock } from '../base/clock.ts';
import { randomToken, sha256 } from '../base/crypto.ts';
import { UserError } from '../base/errors.ts';
import type { Database, Reader, Tx } from '../db/database.ts';
import { Session, type CompanyRow, type InstallationRow, type UserRow } from '../db/tables.ts';
import { verifySignedToken } from '../pipedrive/signed-token.ts';
import type { Viewer } from './access.ts';

export interface SessionDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly signedTokenKey: KeyObject;
}

const lifeMs = { extension: 12 * 3_600_000, page: 7 * 24 * 3_600_000 } as const;

export interface OpenedSession {
  readonly token: string;
  readonly expiresAt: string;
}

export async function openSession(
  deps: Pick<SessionDeps, 'clock'>,
  tx: Tx,
  user: { companyId: string; userId: string; kind: 'extension' | 'page' },
): Promise<OpenedSession> {
  const token = randomToken();
  const expiresAt = timeText(deps.clock, lifeMs[user.kind]);
  await tx.query('delete from session where expires_at < ?', [timeText(deps.clock)]);
  await tx.insert(Session, { id: sha256(token), ...user, createdAt: timeText(deps.clock), expiresAt });
  return { token, expiresAt };
}

/** The signed token of an iframe to a session. A user without the app of his own is told so (A6). */
export async function sessionFromSignedToken(
  deps: SessionDeps,
  signed: string,
): Promise<OpenedSession & { user: UserRow; company: CompanyRow }> {
  const { userId, companyId } = await verifySignedToken(deps.signedTokenKey, signed, deps.clock.now());
  return deps.db.transaction(async (tx) => {
    const company = await tx.one<CompanyRow>('select * from company where id = ?', [companyId]);
    const user = await tx.one<UserRow>('select * from app_user where company_id = ? and id = ?', [companyId, userId]);
    const installation = await tx.one<InstallationRow>(
      'select * from installation where company_id = ? and user_id = ?',
      [companyId, userId],
    );
    if (!company || !user || !installation) throw new UserError('app_not_installed');
    const session = await openSession(deps, tx, { companyId, userId, kind: 'extension' });
    return { ...session, user, company };
  });
}

/** The language of the user whom a frame's signed token names, or nothing where it names nobody. Opens nothing. */
export async function languageOfSignedToken(deps: SessionDeps, signed: string): Promise<string | undefined> {
  const named = await verifySignedToken(deps.signedTokenKey, signed, deps.clock.now()).catch(() => undefined);
  if (!named) return undefined;
  const user = await deps.db.read((reader) =>
    reader.one<Pick<UserRow, 'language'>>('select language from app_user where company_id = ? and id = ?', [
      named.companyId,
      named.userId,
    ]),
  );
  return user?.language;
}

interface ViewerRow extends UserRow {
  sessionId: string;
  kind: 'extension' | 'page';
}

/** Who holds this token; nobody once it expired or his installation is gone. */
export async function viewerOf(
  deps: Pick<SessionDeps, 'clock'>,
  reader: Reader,
  token: string,
): Promise<Viewer | undefined> {
  if (token.length < 20 || token.length > 200) return undefined;
  const row = await reader.one<ViewerRow>(
    `select u.*, s.id as session_id, s.kind from session s
     join app_user u on u.company_id = s.company_id and u.id = s.user_id
     join installation i on i.company_id = s.company_id and i.user_id = s.user_id
     where s.id = ? and s.expires_at > ?`,
    [sha256(token), timeText(deps.clock)],
  );
  if (!row) return undefined;
  return {
    companyId: row.companyId,
    userId: row.id,
    name: row.name,
    language: row.language,
    timeZone: row.timeZone,
    isAdmin: row.isAdmin === 1,
    sessionId: row.sessionId,
    kind: row.kind,
  };
}

export async function endSession(tx: Tx, viewer: Viewer): Promise<void> {
  await tx.query('delete from session where id = ?', [viewer.sessionId]);
}
