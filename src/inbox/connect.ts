// Connecting, changing and disconnecting channels (C1, C2, C15, A7, A8).
import { timeText } from '../base/clock.ts';
import { UpstreamError, UserError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import type {
  MessengerPage,
  Providers,
  TwilioLogin,
  WebhookSetup,
  WhatsappAccount,
  WhatsappSender,
} from '../channels/provider.ts';
import { requireAdmin, requireOwner, visibleChannel, type Viewer } from '../companies/access.ts';
import { audit } from '../companies/audit.ts';
import { openState, takeState } from '../companies/oauth-state.ts';
import { readSettings } from '../companies/settings.ts';
import type { Reader, Tx } from '../db/database.ts';
import {
  Channel,
  MessengerLogin,
  type ChannelRow,
  type ConversationRow,
  type MessengerLoginRow,
} from '../db/tables.ts';
import { changeFacts, factsOf, type ChannelFacts } from './channel-state.ts';
import { actorOf } from './conversation.ts';
import { accessOf, credentialsPlace, type InboxDeps } from './deps.ts';
import { renewPages } from './facebook-person.ts';
import { importHistory } from './import-history.ts';
import { enqueueLeaving, mayWorkLater } from './leave-provider.ts';
import { checkChannel, reconcileChannel } from './reconcile.ts';

export interface ConnectDeps extends InboxDeps {
  readonly providers: Providers;
}

/** A channel this viewer may see, or `not_found`. */
export async function channelFor(reader: Pick<Reader, 'one'>, viewer: Viewer, id: string): Promise<ChannelRow> {
  const visible = visibleChannel(viewer);
  const row = await reader.one<ChannelRow>(`select ch.* from channel ch where ch.id = ? and ${visible.sql}`, [
    id,
    ...visible.parameters,
  ]);
  if (!row) throw new UserError('not_found');
  return row;
}

export interface WhatsappInput {
  readonly accountSid: string;
  readonly authToken: string;
  /** Whose the sender is, where that is a subaccount of the account that is signed in to. */
  readonly subaccountSid?: string | undefined;
  readonly sender: string;
  readonly name?: string | undefined;
  readonly visibility?: 'shared' | 'private' | undefined;
  readonly unlisted?: boolean | undefined;
}

interface ListedSender extends WhatsappSender {
  readonly account: { readonly sid: string; readonly name: string };
  /** It is a channel of this company already. */
  readonly connected: boolean;
}

/** Senders to choose from, those of subaccounts too; checks the credentials on the way. */
export async function listSenders(
  deps: ConnectDeps,
  viewer: Viewer,
  credentials: TwilioLogin,
): Promise<ListedSender[]> {
  requireAdmin(viewer);
  const { whatsapp } = deps.providers;
  const own = { ...credentials, name: (await checkCredentials(deps, credentials)).name };
  const accounts = [own, ...(await subaccounts(deps, credentials))];
  const connected = await deps.db.read((reader) =>
    reader.query<{ account: string; address: string }>(
      `select account, address from channel where company_id = ? and provider = 'whatsapp' and state <> 'disconnected'`,
      [viewer.companyId],
    ),
  );
  const found: ListedSender[] = [];
  for (const { accountSid, authToken, name } of accounts) {
    const senders = await unlessRefused(() => whatsapp.listSenders({ accountSid, authToken }));
    for (const sender of senders) {
      const isConnected = connected.some((at) => at.account === accountSid && at.address === sender.address);
      found.push({ ...sender, account: { sid: accountSid, name }, connected: isConnected });
    }
  }
  return found;
}

/** Beside an account's own senders they are a nicety: without them there is still something to choose from. */
async function subaccounts(deps: ConnectDeps, credentials: TwilioLogin): Promise<WhatsappAccount[]> {
  try {
    return await deps.providers.whatsapp.subaccounts(credentials);
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
    deps.log.info({ err: error }, 'subaccounts could not be listed');
    return [];
  }
}

/** Not every account may use every API: then a number can still be typed. */
async function unlessRefused<T>(list: () => Promise<T[]>): Promise<T[]> {
  try {
    return await list();
  } catch (error) {
    if (error instanceof UpstreamError && error.kind === 'refused') return [];
    throw error;
  }
}

/** Connects a WhatsApp sender by Account SID and primary auth token, which are checked at once (C2). */
export async function connectWhatsapp(deps: ConnectDeps, viewer: Viewer, input: WhatsappInput): Promise<ChannelRow> {
  requireAdmin(viewer);
  const { whatsapp } = deps.providers;
  const login = { accountSid: input.accountSid.trim(), authToken: input.authToken.trim() };
  const address = senderAddress(input.sender);
  await checkCredentials(deps, login);
  const credentials = await accountOf(deps, login, input);
  // Not every account may use that API: then the number must be vouched for.
  const senders = await unlessRefused(() => whatsapp.listSenders(credentials));
  const listed = senders.find((sender) => sender.address === address);
  const isTryOut = whatsapp.isTryOut(address);
  if (!listed && !isTryOut && !input.unlisted) throw new UserError('sender_not_found', { sender: input.sender });
  const settings = await deps.db.read((reader) => readSettings(reader, viewer.companyId));
  const facts: ChannelFacts = {
    webhook: 'manual',
    ...(listed ? { senderSid: listed.sid } : isTryOut ? {} : { unlisted: true }),
  };
  const channel = await deps.db.transaction((tx) =>
    storeChannel(deps, tx, viewer, {
      provider: 'whatsapp',
      account: credentials.accountSid,
      address,
      name: input.name ?? listed?.name ?? address.replace('whatsapp:', ''),
      visibility: input.visibility ?? settings.defaultVisibility,
      credentials,
      facts,
    }),
  );
  return listed ? tellWebhooks(deps, channel, credentials, listed.sid) : channel;
}

/** Signs in to the subaccount itself where the sender is one's: its own token proves what Twilio sends of it. */
async function accountOf(
  deps: ConnectDeps,
  login: TwilioLogin,
  { subaccountSid, sender }: WhatsappInput,
): Promise<TwilioLogin> {
  if (subaccountSid === undefined || subaccountSid === login.accountSid) return login;
  const accounts = await deps.providers.whatsapp.subaccounts(login);
  const found = accounts.find(({ accountSid }) => accountSid === subaccountSid);
  if (!found) throw new UserError('sender_not_found', { sender });
  return { accountSid: found.accountSid, authToken: found.authToken };
}

function senderAddress(sender: string): string {
  const digits = sender
    .trim()
    .replace(/^whatsapp:/, '')
    .replace(/[\s()-]/g, '')
    .replace(/^00/, '+');
  if (!/^\+[1-9]\d{5,18}$/.test(digits)) throw new UserError('invalid', { fields: { sender: 'phone' } });
  return `whatsapp:${digits}`;
}

async function checkCredentials(deps: ConnectDeps, credentials: TwilioLogin): Promise<{ name: string }> {
  try {
    return await deps.providers.whatsapp.checkCredentials(credentials);
  } catch (error) {
    if (error instanceof UpstreamError && error.kind === 'refused') {
      throw new UserError('credentials_rejected', { reason: error.reason }, { cause: error });
    }
    throw error;
  }
}

/** After the channel is stored: what Twilio then sends can be verified at once. */
async function tellWebhooks(
  deps: ConnectDeps,
  channel: ChannelRow,
  credentials: TwilioLogin,
  senderSid: string,
): Promise<ChannelRow> {
  let setup: WebhookSetup;
  try {
    setup = await deps.providers.whatsapp.setWebhooks(credentials, senderSid);
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
    deps.log.warn({ err: error, channelId: channel.id }, 'could not set the webhook addresses');
    setup = { webhook: 'manual' };
  }
  const row = await deps.db.transaction((tx) => changeFacts(tx, channel.id, (facts) => ({ ...facts, ...setup })));
  return row ?? channel;
}

interface NewChannel {
  readonly provider: 'messenger' | 'whatsapp';
  readonly account: string;
  readonly address: string;
  readonly name: string;
  readonly visibility: 'shared' | 'private';
  readonly credentials: object;
  readonly facts: ChannelFacts;
}

/** A new channel; or the company's own one of that address again, with fresh credentials and all its conversations. */
async function storeChannel(deps: ConnectDeps, tx: Tx, viewer: Viewer, wanted: NewChannel): Promise<ChannelRow> {
  const holders = await tx.query<ChannelRow>(
    `select * from channel where provider = ? and account = ? and address = ?
     order by case when state = 'disconnected' then 1 else 0 end, created_at desc`,
    [wanted.provider, wanted.account, wanted.address],
  );
  const active = holders.find((holder) => holder.state !== 'disconnected');
  // The same Page or number in two companies would send each of them the other's messages.
  if (active && active.companyId !== viewer.companyId) throw new UserError('channel_taken');
  const own = active ?? holders.find((holder) => holder.companyId === viewer.companyId);
  if (own && own.visibility === 'private' && own.ownerId !== viewer.userId) throw new UserError('channel_taken');
  const now = timeText(deps.clock);
  const id = own?.id ?? newId();
  // Reconnected without having been disconnected: nothing that happened meanwhile is "before".
  const kept = active ? factsOf(active) : undefined;
  const facts: ChannelFacts = {
    ...wanted.facts,
    connectedAt: kept?.connectedAt ?? now,
    ...(kept?.reconciledThrough === undefined ? {} : { reconciledThrough: kept.reconciledThrough }),
    ...(kept?.import === undefined ? {} : { import: kept.import }),
    ...(kept?.provenAt === undefined ? {} : { provenAt: kept.provenAt }),
  };
  const sealed = deps.vault.seal(
    JSON.stringify(wanted.credentials),
    credentialsPlace({ id, companyId: viewer.companyId }),
  );
  const channel: ChannelRow = {
    id,
    companyId: viewer.companyId,
    ownerId: own?.ownerId ?? viewer.userId,
    provider: wanted.provider,
    account: wanted.account,
    address: wanted.address,
    name: wanted.name,
    avatarUrl: null,
    visibility: own?.visibility ?? wanted.visibility,
    sealedCredentials: sealed,
    state: 'connected',
    brokenReason: null,
    facts: JSON.stringify(facts),
    lastInboundAt: own?.lastInboundAt ?? null,
    lastOutboundAt: own?.lastOutboundAt ?? null,
    createdAt: own?.createdAt ?? now,
    disconnectedAt: null,
  };
  if (own) {
    await tx.query(
      `update channel set name = ?, sealed_credentials = ?, state = 'connected', broken_reason = null, facts = ?,
         disconnected_at = null where id = ?`,
      [channel.name, sealed, channel.facts, id],
    );
  } else {
    await tx.insert(Channel, channel);
  }
  if (!active) await deps.queue.enqueue(tx, importHistory, { channelId: id, cursor: null }, { key: id });
  await deps.queue.enqueue(tx, reconcileChannel, { channelId: id, page: null }, { key: id, delayMs: 2_000 });
  await audit(deps, tx, {
    companyId: viewer.companyId,
    userId: viewer.userId,
    act: own ? 'channel_reconnected' : 'channel_connected',
    details: { channelId: id, provider: wanted.provider },
  });
  await deps.changes.record(tx, { kind: 'channel.changed', companyId: viewer.companyId, channelId: id });
  return channel;
}

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

/** Name by an admin or the owner; visibility by the owner alone (A7, A8). */
export function changeChannel(
  deps: ConnectDeps,
  viewer: Viewer,
  channelId: string,
  change: { name?: string | undefined; visibility?: 'shared' | 'private' | undefined },
): Promise<ChannelRow> {
  return deps.db.transaction(async (tx) => {
    const before = await channelFor(tx, viewer, channelId);
    requireOwner(viewer, before);
    const after = await tx.one<ChannelRow>('update channel set name = ?, visibility = ? where id = ? returning *', [
      change.name ?? before.name,
      change.visibility ?? before.visibility,
      before.id,
    ]);
    if (before.visibility === 'shared' && after!.visibility === 'private') await takeBack(deps, tx, viewer, after!);
    await audit(deps, tx, {
      companyId: viewer.companyId,
      userId: viewer.userId,
      act: 'channel_changed',
      details: { channelId: before.id, visibility: after!.visibility },
    });
    await deps.changes.record(tx, { kind: 'channel.changed', companyId: viewer.companyId, channelId: before.id });
    return after!;
  });
}

/** Nobody keeps a conversation that he may no longer see (A8). */
async function takeBack(deps: ConnectDeps, tx: Tx, viewer: Viewer, channel: ChannelRow): Promise<void> {
  const conversations = await tx.query<ConversationRow>(
    `update conversation set assignee_id = null, updated_at = ?
     where channel_id = ? and deleted_at is null and assignee_id <> ? returning *`,
    [timeText(deps.clock), channel.id, channel.ownerId],
  );
  for (const conversation of conversations)
    await deps.changes.record(tx, {
      kind: 'conversation.changed',
      conversation,
      act: 'unassigned',
      by: actorOf(viewer),
    });
}

/** Asks the provider at once how the channel is, and mends what needs no person (C14). */
export async function recheckChannel(deps: ConnectDeps, viewer: Viewer, channelId: string): Promise<void> {
  const channel = await deps.db.read((reader) => channelFor(reader, viewer, channelId));
  if (channel.ownerId !== viewer.userId) requireAdmin(viewer);
  if (channel.state === 'disconnected') return;
  await checkChannel(deps, channel, deps.provider(channel.provider), accessOf(deps, channel));
  await deps.db.transaction((tx) =>
    deps.queue.enqueue(tx, reconcileChannel, { channelId: channel.id, page: null }, { key: channel.id }),
  );
}

/** Unsubscribes, forgets the credentials, keeps the conversations (C15). */
export async function disconnectChannel(deps: ConnectDeps, viewer: Viewer, channelId: string): Promise<void> {
  const channel = await deps.db.read((reader) => channelFor(reader, viewer, channelId));
  requireOwner(viewer, channel);
  if (channel.state === 'disconnected') return;
  const isTold = await unsubscribe(deps, channel);
  await deps.db.transaction(async (tx) => {
    if (!isTold) await enqueueLeaving(deps, tx, channel);
    await forget(deps, tx, channel);
    await audit(deps, tx, {
      companyId: viewer.companyId,
      userId: viewer.userId,
      act: 'channel_disconnected',
      details: { channelId: channel.id },
    });
  });
}

/** The last user uninstalled: nothing may be sent or fetched any more, and the providers are told so behind it (A3). */
export async function disconnectAll(
  deps: Pick<InboxDeps, 'changes' | 'clock' | 'queue'>,
  tx: Tx,
  companyId: string,
): Promise<void> {
  const channels = await tx.query<ChannelRow>(
    `select * from channel where company_id = ? and state <> 'disconnected'`,
    [companyId],
  );
  for (const channel of channels) {
    await enqueueLeaving(deps, tx, channel);
    await forget(deps, tx, channel);
  }
}

async function forget(deps: Pick<InboxDeps, 'changes' | 'clock'>, tx: Tx, channel: ChannelRow): Promise<void> {
  await tx.query(
    `update channel set state = 'disconnected', sealed_credentials = null, broken_reason = null, disconnected_at = ? where id = ?`,
    [timeText(deps.clock), channel.id],
  );
  await deps.changes.record(tx, { kind: 'channel.changed', companyId: channel.companyId, channelId: channel.id });
}

/** False when the provider is to be told later: that it cannot be reached must not keep anybody from leaving. */
async function unsubscribe(deps: ConnectDeps, channel: ChannelRow): Promise<boolean> {
  try {
    await deps.provider(channel.provider).disconnect?.(accessOf(deps, channel));
    return true;
  } catch (error) {
    deps.log.info({ err: error, channelId: channel.id }, 'could not unsubscribe a channel');
    return !(error instanceof UpstreamError && mayWorkLater(error));
  }
}
