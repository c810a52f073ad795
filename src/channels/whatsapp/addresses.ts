// Where Twilio sends what concerns a sender: reads it, writes our addresses, and takes them out again (Senders API v2).
import { UpstreamError } from '../../base/errors.ts';
import type { ChannelAccess, WebhookSetup, WebhookState } from '../provider.ts';
import { accountOf, twilioClient, type TwilioAccount } from './client.ts';
import type { WhatsappSettings } from './settings.ts';
import { listSenders } from './setup.ts';

/** Retries are asked for in the fragment, which is no part of the signature (Webhooks: connection overrides). */
const overrides = '#rc=5&rp=all&ct=2000&rt=4000';

/** A sender's addresses under the wire's names, all six of them; what is not set is left out, for a method may not be null. */
type Webhook = Partial<Record<(typeof wireNames)[keyof typeof wireNames], string | null>>;

/** The SDK reads them under names of its own, and writes what it is given. */
const wireNames = {
  callbackUrl: 'callback_url',
  callbackMethod: 'callback_method',
  fallbackUrl: 'fallback_url',
  fallbackMethod: 'fallback_method',
  statusCallbackUrl: 'status_callback_url',
  statusCallbackMethod: 'status_callback_method',
} as const;

/** Writes our addresses, unless somebody else's stand there and are not to be taken over. */
export async function setWebhooks(
  settings: WhatsappSettings,
  account: TwilioAccount,
  senderSid: string,
  options: { takeOver?: boolean } = {},
): Promise<WebhookSetup> {
  const present = await readWebhook(settings, account, senderSid);
  if (isForeign(settings, present.callback_url) && !options.takeOver) return foreign(present.callback_url);
  // What becomes of a message of ours is told where the message itself says: somebody else's address for that may stay.
  const isStatusFree = options.takeOver || !isForeign(settings, present.status_callback_url);
  await writeWebhook(settings, account, senderSid, {
    ...present,
    callback_url: `${settings.publicUrl}/webhooks/twilio${overrides}`,
    callback_method: 'POST',
    ...(isStatusFree
      ? {
          status_callback_url: `${settings.publicUrl}/webhooks/twilio/status${overrides}`,
          status_callback_method: 'POST',
        }
      : {}),
  });
  return { webhook: await pastServices(settings, account, senderSid) };
}

/** How it is now. An address that is gone is set again: `restored`. */
export async function lookAfterWebhooks(
  settings: WhatsappSettings,
  channel: ChannelAccess,
): Promise<Omit<WebhookSetup, 'webhook'> & { webhook: WebhookState | 'restored' }> {
  const account = accountOf(channel);
  const sender = await senderOf(settings, channel);
  // Not every sender can be reached by this API, such as the sandbox's number.
  if (!sender) return { webhook: 'manual' };
  const { callback_url: address } = await readWebhook(settings, account, sender.sid);
  if (isForeign(settings, address)) return foreign(address);
  if (address) return { webhook: await pastServices(settings, account, sender.sid) };
  const outcome = await setWebhooks(settings, account, sender.sid);
  return outcome.webhook === 'set' ? { webhook: 'restored' } : outcome;
}

/** Takes out our addresses; somebody else's stay. */
export async function clearWebhooks(settings: WhatsappSettings, channel: ChannelAccess): Promise<void> {
  const sender = await senderOf(settings, channel);
  if (!sender) return;
  const present = await readWebhook(settings, accountOf(channel), sender.sid);
  const ours = (address: string | null | undefined): boolean => !!address && !isForeign(settings, address);
  if (!ours(present.callback_url) && !ours(present.status_callback_url)) return;
  await writeWebhook(settings, accountOf(channel), sender.sid, {
    ...present,
    ...(ours(present.callback_url) ? { callback_url: null } : {}),
    ...(ours(present.status_callback_url) ? { status_callback_url: null } : {}),
  });
}

async function senderOf(settings: WhatsappSettings, channel: ChannelAccess): Promise<{ sid: string } | undefined> {
  try {
    const senders = await listSenders(settings, accountOf(channel));
    return senders.find(({ address }) => address === channel.address);
  } catch (error) {
    if (error instanceof UpstreamError && error.kind === 'refused') return undefined;
    throw error;
  }
}

/** Its host alone: the rest of an address may hold a password. */
function foreign(address: string | null | undefined): WebhookSetup {
  return { webhook: 'foreign', ...(address && URL.canParse(address) ? { elsewhere: new URL(address).host } : {}) };
}

function isForeign(settings: WhatsappSettings, address: string | null | undefined): boolean {
  return !!address && !address.startsWith(`${settings.publicUrl}/`);
}

async function readWebhook(settings: WhatsappSettings, account: TwilioAccount, senderSid: string): Promise<Webhook> {
  const client = await twilioClient(settings, account);
  const sender = await client.messaging.v2.channelsSenders(senderSid).fetch();
  const read: Partial<Record<keyof typeof wireNames, string | null>> = sender.webhook ?? {};
  return Object.fromEntries(
    Object.entries(wireNames).flatMap(([name, wireName]) => {
      const value = read[name as keyof typeof wireNames];
      return typeof value === 'string' ? [[wireName, value]] : [];
    }),
  );
}

/** Whether what is left out survives is not documented, so the whole object is written (dossier sections 1.3 and 9.4). */
async function writeWebhook(
  settings: WhatsappSettings,
  account: TwilioAccount,
  senderSid: string,
  webhook: Webhook,
): Promise<void> {
  const client = await twilioClient(settings, account);
  await client.messaging.v2.channelsSenders(senderSid).update({ webhook } as never);
}

/** An account has few services; one that takes this sender's messages is looked for in no more than these. */
const mostServices = 10;

/** A Messaging Service goes before the sender's own address unless it is told to defer to it (Services resource). */
async function pastServices(
  settings: WhatsappSettings,
  account: TwilioAccount,
  senderSid: string,
): Promise<'set' | 'service'> {
  const client = await twilioClient(settings, account);
  const services = await client.messaging.v1.services.list({ limit: mostServices });
  for (const service of services) {
    if (service.useInboundWebhookOnNumber || isOurs(settings, service.inboundRequestUrl)) continue;
    const senders = await client.messaging.v1.services(service.sid).channelSenders.list({ limit: 100 });
    if (senders.some(({ sid }) => sid === senderSid)) return 'service';
  }
  return 'set';
}

function isOurs(settings: WhatsappSettings, address: string | null): boolean {
  return !!address && !isForeign(settings, address);
}
