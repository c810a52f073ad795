// What Twilio's own log says of the messages to one contact: settles a send whose outcome is unknown.
import type { ChannelAccess, HistoryMessage } from '../provider.ts';
import { accountOf, twilioClient } from './client.ts';
import { failureCode } from './errors.ts';
import type { WhatsappSettings } from './settings.ts';

export async function recentMessages(
  settings: WhatsappSettings,
  channel: ChannelAccess,
  contactAddress: string,
  since: string,
): Promise<HistoryMessage[]> {
  const client = await twilioClient(settings, accountOf(channel));
  const found = await client.messages.list({
    from: channel.address,
    to: contactAddress,
    dateSentAfter: new Date(since),
    pageSize: 100,
    limit: 200,
  });
  return found.map((message) => ({
    providerMessageId: message.sid,
    direction: 'outbound',
    text: message.body ?? '',
    files: Number(message.numMedia ?? '0'),
    at: (message.dateSent ?? message.dateCreated ?? new Date(since)).toISOString(),
    status: statusOf(message.status),
    failure:
      statusOf(message.status) === 'failed'
        ? {
            code: failureCode(message.errorCode ? String(message.errorCode) : null),
            providerCode: message.errorCode ? String(message.errorCode) : null,
          }
        : null,
  }));
}

function statusOf(status: string): HistoryMessage['status'] {
  if (status === 'failed' || status === 'undelivered' || status === 'canceled') return 'failed';
  return status === 'delivered' || status === 'read' ? status : 'sent';
}
