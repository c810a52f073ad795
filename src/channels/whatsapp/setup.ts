// Connecting a WhatsApp sender: are the credentials right, and which senders are there.
import { z } from 'zod';
import { UpstreamError } from '../../base/errors.ts';
import type { WhatsappAccount, WhatsappSender } from '../provider.ts';
import { twilioClient, type TwilioAccount } from './client.ts';
import type { WhatsappSettings } from './settings.ts';

const accountShape = z.object({ friendlyName: z.string().nullish(), status: z.string() });

/** Account SID and primary auth token, checked against the account itself (Accounts resource). */
export async function checkCredentials(settings: WhatsappSettings, account: TwilioAccount): Promise<{ name: string }> {
  if (!/^AC[0-9a-f]{32}$/i.test(account.accountSid) || account.authToken.length < 16) throw rejected();
  try {
    const client = await twilioClient(settings, account);
    const found = accountShape.parse(await client.api.v2010.accounts(account.accountSid).fetch());
    if (found.status !== 'active') throw rejected('account_suspended');
    return { name: found.friendlyName ?? account.accountSid };
  } catch (error) {
    const refused =
      error instanceof UpstreamError && (error.kind === 'reconnect' || [401, 403, 404].includes(error.status ?? 0));
    throw refused ? rejected() : error;
  }
}

function rejected(reason = 'credentials_rejected'): UpstreamError {
  return new UpstreamError('twilio', 'refused', { reason });
}

/** More subaccounts than anybody chooses from. */
const mostAccounts = 50;

/** What the account has below it (Accounts resource); none for a subaccount. Each is listed with an auth token of its own. */
export async function listSubaccounts(settings: WhatsappSettings, account: TwilioAccount): Promise<WhatsappAccount[]> {
  const client = await twilioClient(settings, account);
  const found = await client.api.v2010.accounts.list({ status: 'active', pageSize: mostAccounts, limit: mostAccounts });
  return found
    .filter(({ sid, authToken }) => sid !== account.accountSid && !!authToken)
    .map(({ sid, authToken, friendlyName }) => ({ accountSid: sid, authToken, name: friendlyName || sid }));
}

/** All WhatsApp senders of the account (Senders API v2); none where the account cannot use that API. */
export async function listSenders(settings: WhatsappSettings, account: TwilioAccount): Promise<WhatsappSender[]> {
  const client = await twilioClient(settings, account);
  const found = await client.messaging.v2.channelsSenders.list({ channel: 'whatsapp', pageSize: 100, limit: 500 });
  return found.map((sender) => ({
    sid: sender.sid,
    address: sender.senderId,
    name: profileName(sender.profile) ?? sender.senderId.replace('whatsapp:', ''),
    online: String(sender.status).startsWith('ONLINE'),
  }));
}

function profileName(profile: unknown): string | undefined {
  const name = (profile as { name?: unknown } | null | undefined)?.name;
  return typeof name === 'string' && name.trim() !== '' ? name : undefined;
}
