// One message to WhatsApp (Messages resource). Accepted means that Twilio took it; what becomes of it comes by status callback.
import { UpstreamError } from '../../base/errors.ts';
import type { Accepted, ChannelAccess, OutboundMessage } from '../provider.ts';
import { accountOf, twilioClient } from './client.ts';
import type { WhatsappSettings } from './settings.ts';

export async function sendMessage(
  settings: WhatsappSettings,
  channel: ChannelAccess,
  message: OutboundMessage,
): Promise<Accepted> {
  const client = await twilioClient(settings, accountOf(channel));
  const sent = await client.messages.create({
    from: channel.address,
    to: message.to,
    ...contentOf(message),
    statusCallback: `${settings.publicUrl}/webhooks/twilio/status?m=${message.messageId}#rc=5&rp=all`,
  });
  if (typeof sent.sid !== 'string' || sent.sid === '')
    throw new UpstreamError('twilio', 'unknown', { reason: 'no_sid' });
  return { providerMessageId: sent.sid, status: 'sent' };
}

/** Twilio wants neither text nor file beside a template (error page 63016), and its variables as JSON text. */
function contentOf(message: OutboundMessage): {
  body?: string;
  mediaUrl?: string[];
  contentSid?: string;
  contentVariables?: string;
} {
  if (message.template) {
    const { id, variables } = message.template;
    return {
      contentSid: id,
      ...(Object.keys(variables).length === 0 ? {} : { contentVariables: JSON.stringify(variables) }),
    };
  }
  return {
    ...(message.text === '' ? {} : { body: message.text }),
    ...(message.attachment ? { mediaUrl: [message.attachment.url] } : {}),
  };
}
