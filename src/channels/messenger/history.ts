// What Facebook itself has of the messages with one person (Conversations API): settles a send whose outcome is unknown.
import { z } from 'zod';
import type { ChannelAccess, HistoryMessage } from '../provider.ts';
import { graph } from './graph.ts';
import type { MessengerDeps } from './settings.ts';

const answerShape = z.object({
  data: z.array(
    z.object({
      messages: z
        .object({
          data: z.array(
            z.object({
              id: z.string(),
              created_time: z.string(),
              message: z.string().nullish(),
              from: z.object({ id: z.string() }).nullish(),
            }),
          ),
        })
        .nullish(),
    }),
  ),
});

export async function recentMessages(
  deps: MessengerDeps,
  channel: ChannelAccess,
  contactAddress: string,
  since: string,
): Promise<HistoryMessage[]> {
  const answer = await graph(deps, {
    method: 'GET',
    path: `${channel.address}/conversations`,
    token: channel.credentials.pageToken ?? '',
    query: { platform: 'messenger', user_id: contactAddress, fields: 'messages{id,created_time,from,message}' },
  });
  const parsed = answerShape.parse(answer);
  return parsed.data
    .flatMap((conversation) => conversation.messages?.data ?? [])
    .map((message): HistoryMessage => {
      const outbound = message.from?.id === channel.address;
      return {
        providerMessageId: message.id,
        direction: outbound ? 'outbound' : 'inbound',
        text: message.message ?? '',
        at: new Date(message.created_time).toISOString(),
        status: outbound ? 'sent' : null,
        failure: null,
      };
    })
    .filter((message) => message.at >= since);
}
