// The four operations of the Channels API (v1, deprecated): as strict as described, or gone in any of the ways in which it may be.
import type { Context } from 'koa';
import { Refusal, handle, noteCall, ok, refuse, type ApiCall, type Endpoint } from './api.ts';
import type { InboxChannel, LeadsInbox } from './leads-inbox.ts';
import { faultsOfChannel, faultsOfReceived, type Message } from './messaging-shapes.ts';
import type { State, User } from './state.ts';

const scopes = ['messengers-integration'];

export function channelEndpoints(state: State, inbox: LeadsInbox, clientId: string): Endpoint[] {
  return [
    {
      method: 'POST',
      path: '/api/v1/channels',
      cost: 10,
      scopes,
      anyBody: true,
      run: (call) => addChannel(state, inbox, clientId, call),
    },
    {
      method: 'DELETE',
      path: '/api/v1/channels/:id',
      cost: 6,
      scopes,
      run: (call) => {
        const channel = channelFor(inbox, call, call.params.id);
        inbox.channels.splice(inbox.channels.indexOf(channel), 1);
        return { body: { success: true } };
      },
    },
    {
      method: 'POST',
      path: '/api/v1/channels/messages/receive',
      cost: 10,
      scopes,
      anyBody: true,
      run: (call) => {
        const faults = faultsOfReceived(call.body);
        if (faults.length > 0)
          throw refusal(400, `Expected a message, but ${faults.join(', ')}`, 'INVALID_RECEIVE_MESSAGE_PAYLOAD');
        const message = call.body as unknown as Message & { channel_id: string; conversation_id: string };
        inbox.take(message, channelFor(inbox, call, message.channel_id));
        return { body: { success: true, data: message } };
      },
    },
    {
      method: 'DELETE',
      path: '/api/v1/channels/:channelId/conversations/:conversationId',
      cost: 6,
      scopes,
      run: (call) => {
        const channel = channelFor(inbox, call, call.params.channelId);
        if (channel.userId !== call.grant.userId)
          throw refusal(403, 'Only the app owner can delete conversations', 'FORBIDDEN_USER_REQUEST');
        const at = channel.conversations.findIndex(({ id }) => id === call.params.conversationId);
        if (at < 0) throw refusal(404, 'Conversation not found.', 'NOT_FOUND');
        channel.conversations.splice(at, 1);
        return { body: { success: true } };
      },
    },
  ];
}

/** The endpoint, or what stands in its place on the day. */
export function handleChannelCall(state: State, inbox: LeadsInbox, endpoint: Endpoint) {
  const alive = handle(state, endpoint);
  return async (ctx: Context): Promise<void> => {
    if (inbox.mode === 'alive') return alive(ctx);
    const noted = noteCall(state, ctx, 0);
    refuse(ctx, new Refusal(inbox.mode, wordsOf[inbox.mode]));
    noted.status = ctx.status;
  };
}

const wordsOf = {
  401: 'unauthorized access',
  403: 'Scope and URL mismatch',
  404: 'Unknown method .',
  405: 'Method not allowed',
  410: 'Gone',
  500: 'Internal error',
  501: 'Not implemented',
} as const;

function addChannel(state: State, inbox: LeadsInbox, clientId: string, call: ApiCall): { body: unknown } {
  const faults = faultsOfChannel(call.body);
  if (faults.length > 0)
    throw refusal(
      400,
      `Expected { name: string; avatar_url?: string; provider_channel_id: string; }, but ${faults.join(', ')}`,
      'INVALID_BODY',
    );
  const user = userOf(state, call);
  if (!user.admin) throw refusal(403, 'Only admins can register channels', 'ADMIN_ONLY');
  if (!inbox.hasManifest()) throw refusal(403, 'The app has no messaging manifest', 'FORBIDDEN');
  const body = call.body as {
    name: string;
    provider_channel_id: string;
    avatar_url?: string;
    template_support?: boolean;
    provider_type?: InboxChannel['providerType'];
  };
  const ofCompany = inbox.channels.filter(({ companyId }) => companyId === user.companyId);
  if (inbox.channelOf(body.provider_channel_id) || ofCompany.some(({ name }) => name === body.name))
    throw refusal(400, 'The channel is there already', 'INVALID_BODY');
  const channel = inbox.register(user, {
    providerChannelId: body.provider_channel_id,
    name: body.name,
    avatarUrl: body.avatar_url ?? null,
    providerType: body.provider_type ?? 'other',
    templateSupport: body.template_support ?? false,
    companyId: user.companyId,
    userId: user.id,
  });
  return ok({
    id: channel.uuid,
    name: channel.name,
    avatar_url: channel.avatarUrl,
    provider_channel_id: channel.providerChannelId,
    marketplace_client_id: clientId,
    pd_company_id: channel.companyId,
    pd_user_id: channel.userId,
    created_at: channel.createdAt,
    provider_type: channel.providerType,
    template_support: channel.templateSupport,
  });
}

function userOf(state: State, call: ApiCall): User {
  return state.users.find(({ id }) => id === call.grant.userId)!;
}

/** By the app's own id: the one this API answered with is no good here. */
function channelFor(inbox: LeadsInbox, call: ApiCall, id: string | undefined): InboxChannel {
  const channel = inbox.channelOf(id ?? '');
  if (!channel || channel.companyId !== call.grant.companyId) throw refusal(404, 'Channel not found.', 'NOT_FOUND');
  return channel;
}

function refusal(status: number, error: string, code: string): Refusal {
  return new Refusal(status, error, {
    error_info: 'Please check the reference docs in https://developers.pipedrive.com/docs/api/v1',
    additional_data: { code },
  });
}
