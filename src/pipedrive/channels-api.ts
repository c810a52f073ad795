// The Channels API (v1, announced to end on 2026-02-01): register and remove channels, push messages, delete conversations.
// What its failures mean is read here, as nobody knows what its dead endpoints answer (dossier 1.1).
import { UpstreamError } from '../base/errors.ts';
import type { PipedriveClient } from './client.ts';

export interface ChannelToRegister {
  readonly name: string;
  /** Ours; every later call and every manifest address names it. */
  readonly providerChannelId: string;
  readonly providerType: 'facebook' | 'whatsapp';
  readonly templateSupport: boolean;
}

export interface PushedAttachment {
  readonly id: string;
  /** MIME type. */
  readonly type: string;
  readonly name: string;
  /** Bytes. */
  readonly size: number | null;
  readonly url: string;
  readonly preview_url: string | null;
  /** Always: our links are signed for some hours (Expiring links). */
  readonly link_expires: true;
}

/** A message as `POST /channels/messages/receive` takes it; the same id again changes it. */
export interface PushedMessage {
  readonly id: string;
  readonly channel_id: string;
  readonly sender_id: string;
  readonly conversation_id: string;
  readonly message: string;
  readonly status: 'sent' | 'delivered' | 'read' | 'failed';
  /** ISO, UTC. */
  readonly created_at: string;
  readonly reply_by?: string;
  readonly conversation_link: string;
  readonly attachments: readonly PushedAttachment[];
}

/** Makes Pipedrive read the channel's conversations from our manifest endpoints (POST /v1/channels). Admins only. */
export async function registerChannel(client: PipedriveClient, channel: ChannelToRegister): Promise<void> {
  await client.v1(
    (sdk) => sdk.ChannelsApi,
    (api) =>
      api.addChannel({
        AddChannelRequest: {
          name: channel.name,
          provider_channel_id: channel.providerChannelId,
          provider_type: channel.providerType,
          template_support: channel.templateSupport,
        },
      }),
  );
}

/** Takes the channel with all its conversations out of Leads Inbox. One that is not there is gone already. */
export function removeChannel(client: PipedriveClient, providerChannelId: string): Promise<void> {
  return unlessMissing(
    client.v1(
      (sdk) => sdk.ChannelsApi,
      (api) => api.deleteChannel({ id: providerChannelId }),
    ),
  );
}

export async function pushMessage(client: PipedriveClient, message: PushedMessage): Promise<void> {
  await client.v1(
    (sdk) => sdk.ChannelsApi,
    // The SDK's types know no null; the server's own, printed in its sample refusal, demands it (dossier 1.3).
    (api) => api.receiveMessage({ ReceiveMessageRequest: message as never }),
  );
}

/** Only the user who registered the channel may (FORBIDDEN_USER_REQUEST). One that is not there is gone already. */
export function removeConversation(
  client: PipedriveClient,
  providerChannelId: string,
  conversationId: string,
): Promise<void> {
  return unlessMissing(
    client.v1(
      (sdk) => sdk.ChannelsApi,
      (api) => api.deleteConversation({ channel_id: providerChannelId, conversation_id: conversationId }),
    ),
  );
}

async function unlessMissing(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (error instanceof UpstreamError && error.status === 404 && error.providerCode !== undefined) return;
    throw error;
  }
}

/**
 * What a failed call asks of the bridge:
 * - `gone`: the API is not there for this company
 * - `blocked`: it is, but not for us: the word says what is missing
 * - `other_user`: not with this user's token
 * - `unknown_channel`: Pipedrive does not know the channel (any more)
 * - `refused`: it will never take this
 * - `later`: anything else; the same may work another time
 */
export type ChannelsFailure =
  | { readonly verdict: 'gone' | 'unknown_channel' | 'refused' | 'later' }
  | { readonly verdict: 'blocked'; readonly reason: 'scope' | 'unauthorized' | 'no_grant' }
  | { readonly verdict: 'other_user'; readonly reason: 'admin_only' | 'owner_only' };

export function channelsFailure(error: UpstreamError): ChannelsFailure {
  const { status, providerCode, kind, reason } = error;
  if (kind === 'reconnect') return { verdict: 'blocked', reason: reason === 'unauthorized' ? reason : 'no_grant' };
  if (reason === 'ended' || status === 405 || status === 410 || status === 501) return { verdict: 'gone' };
  // A wrong channel id is answered 404 as well, but with a code of the Channels API.
  if (status === 404) return { verdict: providerCode === undefined ? 'gone' : 'unknown_channel' };
  if (providerCode === 'ADMIN_ONLY') return { verdict: 'other_user', reason: 'admin_only' };
  if (providerCode === 'FORBIDDEN_USER_REQUEST') return { verdict: 'other_user', reason: 'owner_only' };
  if (status === 403) return { verdict: 'blocked', reason: 'scope' };
  return { verdict: status === 400 || status === 413 || status === 422 ? 'refused' : 'later' };
}
