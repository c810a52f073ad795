// Calls about channels: list, connect, change, disconnect.
import { text } from '../../base/texts.ts';
import type { Viewer } from '../../companies/access.ts';
import { askOwner } from '../../inbox/ask-owner.ts';
import { listChannels, readChannel, type ChannelDeps } from '../../inbox/channel-shape.ts';
import { changeChannel, disconnectChannel, recheckChannel } from '../../inbox/channels.ts';
import { connectMessenger, listPages, startMessengerLogin } from '../../inbox/connect-messenger.ts';
import { connectWhatsapp, listSenders } from '../../inbox/connect-whatsapp.ts';
import type { ConnectDeps } from '../../inbox/connect.ts';
import { takeWebhook } from '../../inbox/whatsapp-webhook.ts';
import { noContent, ok, type Handlers } from '../handler.ts';

export function channelCalls(deps: ConnectDeps, reading: ChannelDeps): Handlers {
  const shape = (viewer: Viewer, id: string) => deps.db.read((reader) => readChannel(reader, reading, viewer, id));
  return {
    listChannels: async ({ viewer }) =>
      ok({ data: await deps.db.read((reader) => listChannels(reader, reading, viewer)), nextCursor: null }),
    listSenders: async ({ viewer, body }) => {
      const senders = await listSenders(deps, viewer, body);
      const data = senders.map((sender) => ({ ...sender, address: sender.address.replace('whatsapp:', '') }));
      return ok({ data, nextCursor: null });
    },
    connectWhatsapp: async ({ viewer, body }) => {
      const channel = await connectWhatsapp(deps, viewer, body);
      return { status: 201, body: await shape(viewer, channel.id) };
    },
    listPages: async ({ viewer, query }) => {
      const { ready, pages } = await listPages(deps, viewer, (query as { login: string }).login);
      const data = pages.map(({ id, name, missing, connected }) => ({
        id,
        name,
        usable: missing === null,
        reason: missing === null ? null : text(viewer.language, `page.missing.${missing}`),
        connected,
      }));
      return ok({ data, nextCursor: null, ready });
    },
    connectMessenger: async ({ viewer, body }) => {
      const channels = await connectMessenger(deps, viewer, body);
      const data = await Promise.all(channels.map(({ id }) => shape(viewer, id)));
      return { status: 201, body: { data } };
    },
    changeChannel: async ({ viewer, params, body }) => {
      const channel = await changeChannel(deps, viewer, params.id!, body);
      return ok(await shape(viewer, channel.id));
    },
    askOwner: async ({ viewer, params, body }) => ({
      status: 202,
      body: await askOwner(deps, viewer, { channelId: params.id!, ...(body as { what: 'reconnect' | 'share' }) }),
    }),
    checkChannel: async ({ viewer, params }) => {
      await recheckChannel(deps, viewer, params.id!);
      return ok(await shape(viewer, params.id!));
    },
    takeWebhook: async ({ viewer, params, body }) => {
      const channel = await takeWebhook(deps, viewer, params.id!, body);
      return ok(await shape(viewer, channel.id));
    },
    disconnectChannel: async ({ viewer, params }) => {
      await disconnectChannel(deps, viewer, params.id!);
      return noContent;
    },
  };
}

/** Apart from the others, as it must bind the browser by a cookie where it can. */
export async function messengerLogin(deps: ConnectDeps, viewer: Viewer, bind: () => string) {
  return ok(await startMessengerLogin(deps, viewer, viewer.kind === 'page' ? bind() : null));
}
