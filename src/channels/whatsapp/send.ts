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
    ...(message.text === '' ? {} : { body: message.text }),
    ...(message.attachment ? { mediaUrl: [message.attachment.url] } : {}),
    statusCallback: `${settings.publicUrl}/webhooks/twilio/status?m=${message.messageId}#rc=5&rp=all`,
  });
  if (typeof sent.sid !== 'string' || sent.sid === '')
    throw new UpstreamError('twilio', 'unknown', { reason: 'no_sid' });
  return { providerMessageId: sent.sid, status: 'sent' };
}
