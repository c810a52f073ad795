// A world whose Pipedrive still has its Channels API, with our manifest uploaded.
import type { LeadsInbox } from '../../sandbox/pipedrive/leads-inbox.ts';
import { messagingManifest } from '../../src/web/leads-inbox.ts';
import { until } from './wait.ts';
import { newNumber, world, type World, type WorldOptions } from './world.ts';

export interface BridgedWorld extends World {
  readonly inbox: LeadsInbox;
  /** A call of a manifest endpoint with its Basic credentials; `path` begins behind `/pipedrive/channels`. */
  asPipedrive(
    method: string,
    path: string,
    more?: { headers?: Record<string, string>; body?: FormData | string },
  ): Promise<{ status: number; body: Record<string, unknown>; headers: Headers }>;
}

export async function bridged(options: WorldOptions = {}): Promise<BridgedWorld> {
  const here = await world(options);
  const inbox = here.sandbox.pipedrive.leadsInbox;
  inbox.uploadManifest(messagingManifest(here.url));
  const { PIPEDRIVE_CLIENT_ID: id, PIPEDRIVE_CLIENT_SECRET: secret } = here.environment;
  const authorization = `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
  return Object.assign(here, {
    inbox,
    asPipedrive: async (
      method: string,
      path: string,
      { headers = {}, body }: { headers?: Record<string, string>; body?: FormData | string } = {},
    ) => {
      const answer = await fetch(`${here.url}/pipedrive/channels${path}`, {
        method,
        headers: { authorization, ...headers },
        ...(body === undefined ? {} : { body }),
      });
      const text = await answer.text();
      return {
        status: answer.status,
        body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>,
        headers: answer.headers,
      };
    },
  });
}

/** A WhatsApp channel that is shown in Leads Inbox, and a customer whose first words have arrived there. */
export async function conversationThere(here: BridgedWorld, words: string) {
  const { number, channel } = await here.whatsapp();
  const shown = await until(() => here.inbox.channelOf(channel.id), 'the channel in Leads Inbox');
  const customer = here.sandbox.twilio.customer(newNumber(), { name: 'Hannah' });
  await customer.writes(words, { to: number });
  const there = await until(() => shown.conversations[0], 'the conversation there');
  return { number, channel, shown, customer, there };
}
