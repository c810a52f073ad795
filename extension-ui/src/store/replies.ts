// Replies from the draft to the server: shown at once, sent until they have arrived, asked about when a colleague was quicker.
import type { Conversation, Message } from '../../../src/web/contract.ts';
import { ApiError } from '../api.ts';
import type { Outbox, Waiting } from '../outbox.ts';
import { writeDraft } from '../remembered.ts';
import type { State } from '../state.ts';
import { t } from '../texts.ts';
import type { Upload } from '../uploads.ts';
import { put, without, type Core } from './core.ts';
import { didNotGetThrough, type Network } from './network.ts';
import { isLocal, type Threads } from './threads.ts';

export function openReplies(core: Core, network: Network, threads: Threads, outbox: Outbox) {
  const { api, get, set } = core;
  const { receiveMessage, receiveSent, dropMessage } = threads;
  const delivering = new Set<string>();
  let tries = 0;

  const deliver = async (entry: Waiting, files: readonly Upload[] = []): Promise<void> => {
    const { message } = entry;
    const clientMessageId = message.clientMessageId!;
    if (delivering.has(clientMessageId)) return;
    delivering.add(clientMessageId);
    try {
      const sent = api.send(message.conversationId, {
        clientMessageId,
        ...(entry.template ? { template: entry.template } : { text: message.text }),
        ...(entry.attachmentIds.length > 0 ? { attachmentIds: [...entry.attachmentIds] } : {}),
        ...(entry.seenThrough ? { seenThrough: entry.seenThrough } : {}),
      });
      await receiveSent(sent);
      tries = 0;
      outbox.remove(clientMessageId);
    } catch (error) {
      if (didNotGetThrough(error)) tryAgain();
      else if (error instanceof ApiError && error.code === 'newer_reply') ask(entry, files, error);
      else showRefused(entry, error);
    } finally {
      delivering.delete(clientMessageId);
    }
  };
  /** Not known to have arrived: the same id goes again, so that it is stored once. */
  const tryAgain = (): void => {
    network.doubt();
    setTimeout(sendWaiting, Math.min(30_000, 1_000 * 2 ** tries));
    tries += 1;
  };
  const ask = ({ message, template }: Waiting, files: readonly Upload[], error: ApiError): void => {
    dropMessage(message.conversationId, message.id);
    outbox.remove(message.clientMessageId!);
    const { text, author, createdAt } = error.details as { text: string; author: { name: string }; createdAt: string };
    if (files.length > 0) set({ uploads: put(get().uploads, message.conversationId, files) });
    set({
      newerReply: {
        conversationId: message.conversationId,
        pending: message.text,
        template,
        text,
        author: author.name,
        createdAt,
      },
    });
  };
  const showRefused = (entry: Waiting, error: unknown): void => {
    const said = error instanceof ApiError && error.message ? error.message : t('error.generic', { id: '' });
    const failed: Message = {
      ...entry.message,
      status: 'failed',
      error: { code: 'local', message: said, providerCode: null },
    };
    outbox.put({ ...entry, message: failed });
    receiveMessage(failed);
  };
  /** What was written while there was no network. */
  const sendWaiting = (): void => {
    for (const entry of outbox.all()) if (entry.message.status === 'queued') void deliver(entry);
  };

  const draft = (id: string, text: string): void => {
    set({ drafts: put(get().drafts, id, text) });
    writeDraft(get().me.user.id, id, text);
  };
  const send = async (
    id: string,
    text: string,
    regardless = false,
    template: Waiting['template'] = null,
  ): Promise<void> => {
    const conversation = get().conversations.get(id);
    const files = template ? [] : (get().uploads.get(id) ?? []).filter((tile) => tile.state === 'ready');
    if (!conversation || (text.trim() === '' && files.length === 0)) return;
    const clientMessageId = crypto.randomUUID();
    const message = localMessage(get(), conversation, clientMessageId, text, files, template !== null);
    const seen = get()
      .threads.get(id)
      ?.messages.findLast((found) => !isLocal(found));
    const entry: Waiting = {
      message,
      attachmentIds: files.map((tile) => tile.id!),
      template,
      seenThrough: regardless ? undefined : seen?.id,
    };
    outbox.put(entry);
    receiveMessage(message);
    if (!template) {
      draft(id, '');
      set({ uploads: without(get().uploads, id) });
    }
    set({ newerReply: null });
    await deliver(entry, files);
  };

  return {
    draft,
    send,
    sendWaiting,
    keepAsDraft: (): void => {
      const asked = get().newerReply;
      if (!asked) return;
      if (!asked.template) draft(asked.conversationId, asked.pending);
      set({ newerReply: null });
    },
    sendAnyway: (): void => {
      const asked = get().newerReply;
      if (asked) void send(asked.conversationId, asked.pending, true, asked.template);
    },
    resend: async (message: Message): Promise<void> => {
      const local = isLocal(message) ? outbox.get(message.clientMessageId!) : undefined;
      if (local) {
        const again = { ...local, message: { ...message, status: 'queued' as const, error: null } };
        outbox.put(again);
        receiveMessage(again.message);
        return deliver(again);
      }
      receiveMessage({ ...message, status: 'queued', error: null });
      try {
        await receiveSent(api.resend(message.id));
      } catch (error) {
        receiveMessage(message);
        core.explain(error);
      }
    },
    fetchAgain: (attachmentId: string): Promise<void> => receiveSent(api.fetchAgain(attachmentId)).catch(core.explain),
    removeMessage: async (message: Message): Promise<void> => {
      dropMessage(message.conversationId, message.id);
      if (message.clientMessageId) outbox.remove(message.clientMessageId);
      if (isLocal(message)) return;
      await api.removeMessage(message.id).catch((error: unknown) => {
        receiveMessage(message);
        core.explain(error);
      });
    },
  };
}

function localMessage(
  state: State,
  conversation: Conversation,
  clientMessageId: string,
  text: string,
  files: readonly Upload[],
  isTemplate: boolean,
): Message {
  return {
    id: `local-${clientMessageId}`,
    conversationId: conversation.id,
    direction: 'outbound',
    author: { kind: 'user', id: state.me.user.id, name: state.me.user.name },
    kind: isTemplate ? 'template' : (files[0]?.kind ?? 'text'),
    text,
    reactions: [],
    details: null,
    attachments: files.map((file) => ({
      id: file.key,
      kind: file.kind,
      contentType: file.contentType,
      name: file.name,
      size: file.size,
      state: file.preview ? ('ready' as const) : ('pending' as const),
      url: file.preview,
    })),
    replyTo: null,
    status: 'queued',
    error: null,
    clientMessageId,
    inNote: false,
    createdAt: new Date(Date.now() + state.clockOffset).toISOString(),
  };
}
