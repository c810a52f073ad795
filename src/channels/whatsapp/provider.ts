// WhatsApp by Twilio, put together from its parts.
import type { WhatsappProvider } from '../provider.ts';
import { recentMessages } from './history.ts';
import { attachments, mediaRules } from './media.ts';
import { sendMessage } from './send.ts';
import type { WhatsappSettings } from './settings.ts';
import { checkCredentials, listSenders, setWebhooks } from './setup.ts';
import { approvedTemplates } from './templates.ts';
import { claimWebhook, parseWebhook, verifyWebhook } from './webhook.ts';

const dayMs = 24 * 3_600_000;

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
    mediaRules: (channel) => mediaRules(settings, channel),
    recentMessages: (channel, contactAddress, since) => recentMessages(settings, channel, contactAddress, since),
    checkCredentials: (credentials) => checkCredentials(settings, credentials),
    listSenders: (credentials) => listSenders(settings, credentials),
    setWebhooks: (credentials, senderSid) => setWebhooks(settings, credentials, senderSid),
  };
}
