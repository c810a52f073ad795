// Subscriptions to Pipedrive's webhooks v2 (v1 API): what is subscribed, and one more.
import { z } from 'zod';
import type { PipedriveClient } from './client.ts';

export const watchedObjects = ['note', 'person', 'deal', 'lead'] as const;
export type WatchedObject = (typeof watchedObjects)[number];

export interface Subscription {
  readonly id: string;
  readonly object: string;
  readonly url: string;
}

const hookShape = z.object({
  id: z.union([z.number(), z.string()]),
  event_object: z.string(),
  event_action: z.string(),
  subscription_url: z.string(),
  is_active: z.union([z.number(), z.boolean()]).nullish(),
});

/** Those of this user and this app that are alive. */
export async function listSubscriptions(client: PipedriveClient): Promise<Subscription[]> {
  const answer = await client.v1(
    (sdk) => sdk.WebhooksApi,
    (api) => api.getWebhooks(),
  );
  const rows = z.object({ data: z.array(hookShape).nullish() }).parse(answer).data ?? [];
  return rows
    .filter((row) => row.is_active !== 0 && row.is_active !== false && row.event_action === '*')
    .map((row) => ({ id: String(row.id), object: row.event_object, url: row.subscription_url }));
}

/** Basic auth is the only thing that a delivery proves itself with (dossier 4.2). */
export async function subscribe(
  client: PipedriveClient,
  object: WatchedObject,
  address: { url: string; user: string; password: string },
): Promise<string> {
  const answer = await client.v1(
    (sdk) => sdk.WebhooksApi,
    (api) =>
      api.addWebhook({
        AddWebhookRequest: {
          subscription_url: address.url,
          event_action: '*',
          event_object: object,
          name: `Messaging inbox: ${object}`,
          http_auth_user: address.user,
          http_auth_password: address.password,
          version: '2.0',
        },
      }),
  );
  return String(z.object({ data: hookShape.pick({ id: true }) }).parse(answer).data.id);
}
