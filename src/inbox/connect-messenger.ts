// Connecting Pages: a Facebook Login, then the choice among what it opened (C1).
import { timeText } from '../base/clock.ts';
import { UpstreamError, UserError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import type { MessengerPage } from '../channels/provider.ts';
import { requireAdmin, type Viewer } from '../companies/access.ts';
import { openState, takeState } from '../companies/oauth-state.ts';
import { readSettings } from '../companies/settings.ts';
import { MessengerLogin, type ChannelRow, type MessengerLoginRow } from '../db/tables.ts';
import { renewPages } from './facebook-person.ts';
import { storeChannel, type ConnectDeps, type NewChannel } from './connect.ts';

const loginLifeMs = 30 * 60_000;

/** Begins a Facebook Login. On the full page the browser that opens the address must be the one that comes back. */
export async function startMessengerLogin(
  deps: ConnectDeps,
  viewer: Viewer,
  browser: string | null,
): Promise<{ login: string; authorizeUrl: string }> {
  requireAdmin(viewer);
  const messenger = requireMessenger(deps);
  const login = newId();
  await deps.db.transaction(async (tx) => {
    await tx.query('delete from messenger_login where expires_at < ?', [timeText(deps.clock)]);
    await tx.insert(MessengerLogin, {
      id: login,
      companyId: viewer.companyId,
      userId: viewer.userId,
      facebookUserId: null,
      sealedPages: null,
      expiresAt: timeText(deps.clock, loginLifeMs),
    });
  });
  const { companyId, userId } = viewer;
  const state = await openState(deps, { kind: 'meta', browser, next: login, companyId, userId });
  return { login, authorizeUrl: messenger.authorizeUrl(state) };
}

export type LoginOutcome =
  | { readonly outcome: 'ready' }
  | { readonly outcome: 'bad_state' | 'denied' | 'failed' }
  | { readonly outcome: 'permissions_missing'; readonly permissions: string };

/** The browser came back from Facebook: keeps the Pages, sealed, until they are chosen. */
export async function finishMessengerLogin(
  deps: ConnectDeps,
  input: { code: unknown; state: unknown; error: unknown; browser: string | undefined },
): Promise<LoginOutcome> {
  const state = await takeState(deps, { kind: 'meta', value: input.state, browser: input.browser });
  if (!state || !deps.providers.messenger) return { outcome: 'bad_state' };
  if (input.error !== undefined || typeof input.code !== 'string' || input.code === '') return { outcome: 'denied' };
  try {
    const { facebookUserId, pages } = await deps.providers.messenger.finishLogin(input.code);
    await deps.db.transaction(async (tx) => {
      await tx.query('update messenger_login set facebook_user_id = ?, sealed_pages = ? where id = ?', [
        facebookUserId,
        deps.vault.seal(JSON.stringify(pages), loginPlace(state.next)),
        state.next,
      ]);
      await renewPages(deps, tx, facebookUserId, pages);
    });
    return { outcome: 'ready' };
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
    deps.log.info({ err: error }, 'a Facebook login failed');
    const [word, permissions] = (error.reason ?? '').split(':');
    return word === 'permissions_missing' && permissions ? { outcome: word, permissions } : { outcome: 'failed' };
  }
}

function loginPlace(id: string): string {
  return `messenger_login:${id}:pages`;
}

export interface ListedPage {
  readonly id: string;
  readonly name: string;
  readonly missing: string | null;
  readonly connected: boolean;
}

/** The Pages of a login; not ready while the user is still at Facebook. */
export async function listPages(
  deps: ConnectDeps,
  viewer: Viewer,
  login: string,
): Promise<{ ready: boolean; pages: ListedPage[] }> {
  requireAdmin(viewer);
  const { pages } = await openLogin(deps, viewer, login);
  if (!pages) return { ready: false, pages: [] };
  const connected = await deps.db.read((reader) =>
    reader.query<{ address: string }>(
      `select address from channel where company_id = ? and provider = 'messenger' and state = 'connected'`,
      [viewer.companyId],
    ),
  );
  const addresses = new Set(connected.map(({ address }) => address));
  return {
    ready: true,
    pages: pages.map(({ id, name, missing }) => ({ id, name, missing, connected: addresses.has(id) })),
  };
}

/** Connects the chosen Pages: subscribes each, then stores its token (C1). */
export async function connectMessenger(
  deps: ConnectDeps,
  viewer: Viewer,
  input: { login: string; pageIds: readonly string[]; visibility?: 'shared' | 'private' | undefined },
): Promise<ChannelRow[]> {
  requireAdmin(viewer);
  const messenger = requireMessenger(deps);
  const { row, pages } = await openLogin(deps, viewer, input.login);
  const chosen = [...new Set(input.pageIds)].map((id) => pages?.find((page) => page.id === id));
  if (chosen.some((page) => !page || page.missing !== null))
    throw new UserError('invalid', { fields: { pageIds: 'unknown' } });
  const settings = await deps.db.read((reader) => readSettings(reader, viewer.companyId));
  const wanted = (chosen as MessengerPage[]).map((page) => ({
    page,
    channel: pageChannel(page, row, input.visibility ?? settings.defaultVisibility),
  }));
  const channels = await deps.db.transaction(async (tx) => {
    const stored: ChannelRow[] = [];
    for (const { channel } of wanted) stored.push(await storeChannel(deps, tx, viewer, channel));
    return stored;
  });
  for (const { page } of wanted) await messenger.subscribe(page);
  return channels;
}

function pageChannel(page: MessengerPage, login: MessengerLoginRow, visibility: 'shared' | 'private'): NewChannel {
  return {
    provider: 'messenger',
    account: page.id,
    address: page.id,
    name: page.name,
    visibility,
    credentials: { pageToken: page.token },
    facts: login.facebookUserId === null ? {} : { facebookUserId: login.facebookUserId },
  };
}

function requireMessenger(deps: ConnectDeps) {
  if (!deps.providers.messenger) throw new UserError('not_found', { reason: 'messenger_off' });
  return deps.providers.messenger;
}

async function openLogin(
  deps: ConnectDeps,
  viewer: Viewer,
  login: string,
): Promise<{ row: MessengerLoginRow; pages: MessengerPage[] | undefined }> {
  const row = await deps.db.read((reader) =>
    reader.one<MessengerLoginRow>('select * from messenger_login where id = ? and company_id = ? and user_id = ?', [
      login,
      viewer.companyId,
      viewer.userId,
    ]),
  );
  if (!row) throw new UserError('not_found');
  if (row.expiresAt <= timeText(deps.clock)) throw new UserError('login_expired');
  const pages =
    row.sealedPages === null
      ? undefined
      : (JSON.parse(deps.vault.open(row.sealedPages, loginPlace(row.id))) as MessengerPage[]);
  return { row, pages };
}
