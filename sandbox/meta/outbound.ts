// What follows a message from a Page: its echo, its delivery, and its being read. Each is told only where subscribed.
import { emit, inOrder } from './webhooks.ts';
import {
  addressOf,
  type MetaDelivery,
  type MetaHuman,
  type MetaMessage,
  type MetaPage,
  type MetaState,
} from './state.ts';

export function echoOf(state: MetaState, page: MetaPage, message: MetaMessage): Promise<MetaDelivery | null> {
  return emit(state, page, 'message_echoes', {
    sender: { id: page.id },
    recipient: { id: message.psid },
    timestamp: message.at,
    message: {
      mid: message.mid,
      is_echo: true,
      // A number here, unlike most ids (message_echoes reference).
      ...(message.appId === null ? {} : { app_id: Number(message.appId) }),
      ...(message.metadata === null ? {} : { metadata: message.metadata }),
      ...contentOf(state, message),
    },
  });
}

export function contentOf(state: MetaState, message: MetaMessage): object {
  return {
    ...(message.text === '' ? {} : { text: message.text }),
    ...(message.attachments.length === 0
      ? {}
      : {
          attachments: message.attachments.map(({ id, type, file }) => ({
            type,
            payload: { url: addressOf(state, id, file) },
          })),
        }),
    ...(message.replyToMid === null ? {} : { reply_to: { mid: message.replyToMid } }),
  };
}

/** One after the other per thread, so that a delivery never overtakes the echo of the same message. */
export function afterSend(state: MetaState, page: MetaPage, human: MetaHuman, message: MetaMessage): Promise<void> {
  return inOrder(state, `${page.id} ${message.psid}`, async () => {
    const { options } = state;
    await pause(state);
    if (options.autoEcho && !(options.echoBeforeAnswer && message.appId === state.app.id))
      await echoOf(state, page, message);
    if (!options.autoDeliver) return;
    await pause(state);
    await deliver(state, page, message.psid);
    if (options.autoRead || human.open.has(page.id)) await read(state, page, message.psid);
  });
}

function pause(state: MetaState): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, state.options.webhookDelayMs));
}

function outbound(state: MetaState, page: MetaPage, psid: string): MetaMessage[] {
  return [...state.messages.values()].filter(
    (message) => message.pageId === page.id && message.psid === psid && message.direction === 'outbound',
  );
}

/** Everything sent so far has reached the phone. */
export async function deliver(state: MetaState, page: MetaPage, psid: string): Promise<MetaDelivery | null> {
  const fresh = outbound(state, page, psid).filter((message) => !message.delivered);
  if (fresh.length === 0 || state.stopped) return null;
  for (const message of fresh) message.delivered = true;
  state.changed();
  const watermark = Math.max(...fresh.map((message) => message.at));
  return emit(state, page, 'message_deliveries', {
    sender: { id: psid },
    recipient: { id: page.id },
    timestamp: state.now(),
    delivery: { mids: fresh.map((message) => message.mid), watermark },
  });
}

/** The chat was opened: everything up to now is read. */
export async function read(state: MetaState, page: MetaPage, psid: string): Promise<MetaDelivery | null> {
  const fresh = outbound(state, page, psid).filter((message) => !message.read);
  if (fresh.length === 0 || state.stopped) return null;
  for (const message of fresh) {
    message.delivered = true;
    message.read = true;
  }
  state.changed();
  return emit(state, page, 'message_reads', {
    sender: { id: psid },
    recipient: { id: page.id },
    timestamp: state.now(),
    read: { watermark: Math.max(...fresh.map((message) => message.at)) },
  });
}
