// WhatsApp by Twilio, put together from its parts.
import type { WhatsappProvider } from '../provider.ts';
import { checkChannel } from './check.ts';
import { readHistory, recentMessages } from './history.ts';
import { attachments, mediaRules } from './media.ts';
import { sendMessage } from './send.ts';
import type { WhatsappSettings } from './settings.ts';
import { checkCredentials, listSenders, listSubaccounts } from './setup.ts';
import { approvedTemplates } from './templates.ts';
import { clearWebhooks, setWebhooks } from './addresses.ts';
import { claimWebhook, parseWebhook, verifyWebhook } from './webhook.ts';

const dayMs = 24 * 3_600_000;
/** Twilio's own number, for everybody to try WhatsApp with. */
const sandboxNumber = 'whatsapp:+14155238886';

export function createWhatsapp(settings: WhatsappSettings): WhatsappProvider {
  return {
    name: 'whatsapp',
    // "Body" takes 1,600 characters on every channel (Messages resource).
    capabilities: { replyWindowMs: dayMs, maxText: 1_600, attachments, templates: true },
    claim: claimWebhook,
    verify: (request, credentials) => verifyWebhook(settings.publicUrl, request, credentials),
    parse: parseWebhook,
    send: (channel, message) => sendMessage(settings, channel, message),
    templates: (channel) => approvedTemplates(settings, channel),
    // 80 a second, with and without files (Best practices and FAQs); one in three seconds for the sandbox's own number.
    perSecond: (address) => (address === sandboxNumber ? 1 / 3 : 80),
    mediaRules: (channel) => mediaRules(settings, channel),
    recentMessages: (channel, contactAddress, since) => recentMessages(settings, channel, contactAddress, since),
    checkCredentials: (credentials) => checkCredentials(settings, credentials),
    subaccounts: (credentials) => listSubaccounts(settings, credentials),
    isTryOut: (address) => address === sandboxNumber,
    listSenders: (credentials) => listSenders(settings, credentials),
    setWebhooks: (credentials, senderSid, options) => setWebhooks(settings, credentials, senderSid, options),
    history: (channel, request) => readHistory(settings, channel, request),
    check: (channel) => checkChannel(settings, channel),
    disconnect: (channel) => clearWebhooks(settings, channel),
  };
}
