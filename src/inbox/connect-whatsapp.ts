// Connecting a WhatsApp sender of a Twilio account, or of one of its subaccounts (C2).
import { UpstreamError, UserError } from '../base/errors.ts';
import type { TwilioLogin, WebhookSetup, WhatsappAccount, WhatsappSender } from '../channels/provider.ts';
import { requireAdmin, type Viewer } from '../companies/access.ts';
import { readSettings } from '../companies/settings.ts';
import type { ChannelRow } from '../db/tables.ts';
import { changeFacts, type ChannelFacts } from './channel-state.ts';
import { storeChannel, type ConnectDeps } from './connect.ts';

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
