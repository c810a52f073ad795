// The Send API and the upload of attachments, with the reply window and the refusals of the dossier's section 3.4.
import type Router from '@koa/router';
import type { Context } from 'koa';
import { scalar } from '../listen.ts';
import { fetchAttachment, requireTypeAndSize } from './attachments.ts';
import { GraphError, bodyOf, invalid, pageOf, queryOf, type GraphBody } from './graph.ts';
import { afterSend, echoOf } from './outbound.ts';
import {
  humanAt,
  idFor,
  newMid,
  psidOf,
  type MetaAttachment,
  type MetaHuman,
  type MetaMessage,
  type MetaPage,
  type MetaState,
} from './state.ts';

const sendFields = [
  'recipient', 'messaging_type', 'message', 'tag', 'sender_action', 'payload', 'reply_to', 'notification_type', 'thread_control',
]; // prettier-ignore
const messageFields = ['text', 'attachment', 'attachments', 'sticker_id', 'quick_replies', 'metadata'];
const actions = ['typing_on', 'typing_off', 'mark_seen', 'react', 'unreact'];
const types = ['image', 'video', 'audio', 'file'];
const dayMs = 24 * 3_600_000;

type Fields = Readonly<Record<string, unknown>>;

export function sendRoutes(router: Router, state: MetaState): void {
  router.post('/:id/messages', async (ctx) => {
    queryOf(ctx);
    const body = await bodyOf(ctx, sendFields);
    const page = pageOf(state, ctx, 'pages_messaging', ['MESSAGING']);
    const human = recipientOf(state, page, body.fields.recipient);
    if (page.ownedByOtherApp) throw new GraphError(100, 2018300, '(#100) Another app controls this thread');
    if (body.fields.sender_action !== undefined) {
      ctx.body = act(state, page, human, body.fields);
      return;
    }
    await send(state, ctx, page, human, body);
  });

  router.post('/:id/message_attachments', async (ctx) => {
    queryOf(ctx);
    const body = await bodyOf(ctx, ['message', 'platform']);
    const page = pageOf(state, ctx, 'pages_messaging', ['MESSAGING']);
    const [attachment] = await attachmentsOf(state, page, objectOf(body.fields.message, 'message'), body.file);
    if (!attachment) throw invalid('The parameter message needs an attachment');
    state.uploads.set(attachment.id, { pageId: page.id, attachment });
    ctx.body = { attachment_id: attachment.id };
  });
}

function objectOf(value: unknown, name: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(`The parameter ${name} is required`);
  return value as Fields;
}

function recipientOf(state: MetaState, page: MetaPage, value: unknown): MetaHuman {
  const recipient = objectOf(value, 'recipient');
  const unknown = Object.keys(recipient).find((name) => name !== 'id');
  if (unknown) throw invalid(`recipient.${unknown} is not offered by this sandbox`);
  const human = humanAt(state, page.id, scalar(recipient.id));
  if (!human) throw new GraphError(100, 2018001, '(#100) No matching user found');
  if (human.blocked.has(page.id)) throw new GraphError(551, 1545041, "(#551) This person isn't available right now");
  return human;
}

function act(state: MetaState, page: MetaPage, human: MetaHuman, fields: Fields): object {
  if (fields.message !== undefined) throw new GraphError(100, 2018014, '(#100) message and sender_action together');
  const action = scalar(fields.sender_action);
  const psid = psidOf(state, human, page);
  if (!actions.includes(action)) throw invalid('sender_action must be one of the known actions');
  if (action === 'typing_on') human.typing.set(page.id, state.now() + 20_000);
  if (action === 'typing_off') human.typing.delete(page.id);
  if (action === 'mark_seen') {
    for (const message of state.messages.values()) {
      if (message.pageId === page.id && message.psid === psid && message.direction === 'inbound') message.read = true;
    }
  }
  if (action === 'react' || action === 'unreact') {
    const payload = objectOf(fields.payload, 'payload');
    const message = state.messages.get(scalar(payload.message_id));
    if (message?.psid !== psid) throw invalid('payload.message_id is not of this thread');
    message.reaction = action === 'react' ? scalar(payload.reaction) : null;
  }
  state.changed();
  return { recipient_id: psid };
}

async function send(state: MetaState, ctx: Context, page: MetaPage, human: MetaHuman, body: GraphBody): Promise<void> {
  const content = objectOf(body.fields.message, 'message');
  requireKnown(content);
  const psid = psidOf(state, human, page);
  requireWindow(state, page, psid, body.fields);
  const text = textOf(content);
  const attachments = await attachmentsOf(state, page, content, body.file);
  if (text !== '' && attachments.length > 0) throw invalid('text and attachment exclude each other');
  if (text === '' && attachments.length === 0 && content.sticker_id === undefined)
    throw invalid('The message is empty');
  const metadata = content.metadata === undefined ? null : scalar(content.metadata);
  if (metadata !== null && metadata.length >= 1_000) throw invalid('metadata must have less than 1000 characters');
  const message: MetaMessage = {
    mid: newMid(),
    pageId: page.id,
    psid,
    direction: 'outbound',
    text: content.sticker_id === undefined ? text : '👍',
    attachments,
    at: state.now(),
    appId: state.app.id,
    metadata,
    replyToMid: replyOf(state, psid, body.fields.reply_to),
    delivered: false,
    read: false,
    reaction: null,
  };
  state.messages.set(message.mid, message);
  human.typing.delete(page.id);
  state.changed();
  const reusable = reusableOf(content);
  const [attachment] = attachments;
  if (reusable && attachment) state.uploads.set(attachment.id, { pageId: page.id, attachment });
  if (state.options.echoBeforeAnswer && state.options.autoEcho) await echoOf(state, page, message);
  ctx.body = {
    recipient_id: psid,
    message_id: message.mid,
    ...(reusable && attachment ? { attachment_id: attachment.id } : {}),
  };
  void afterSend(state, page, human, message);
}

function requireKnown(content: Fields): void {
  const unknown = Object.keys(content).find((name) => !messageFields.includes(name));
  if (unknown) throw invalid(`Unknown field: message.${unknown}`);
}

function textOf(content: Fields): string {
  if (content.text === undefined) return '';
  if (typeof content.text !== 'string') throw invalid('message.text must be a string');
  // "UTF-8, less than 2000 characters" (Send API Reference).
  if (content.text.length >= 2_000) throw invalid('Length of param message[text] must be less than 2000');
  return content.text;
}

function replyOf(state: MetaState, psid: string, value: unknown): string | null {
  if (value === undefined) return null;
  const mid = scalar(objectOf(value, 'reply_to').mid);
  if (state.messages.get(mid)?.psid !== psid) throw invalid('reply_to.mid is not of this thread');
  return mid;
}

function requireWindow(state: MetaState, page: MetaPage, psid: string, fields: Fields): void {
  const age = state.now() - (state.lastOpening.get(`${page.id} ${psid}`) ?? 0);
  switch (fields.messaging_type) {
    case 'RESPONSE':
    case 'UPDATE':
      if (fields.tag !== undefined) throw invalid('tag goes with MESSAGE_TAG only');
      if (age > dayMs) throw new GraphError(10, 2018278, '(#10) This message is sent outside of allowed window');
      return;
    case 'MESSAGE_TAG':
      if (fields.tag !== 'HUMAN_AGENT') throw new GraphError(100, 1893061, '(#100) The tag is not offered any more');
      if (!state.options.humanAgent)
        throw new GraphError(10, undefined, '(#10) The feature Human Agent is not granted');
      if (age > 7 * dayMs) throw new GraphError(10, 2018278, '(#10) This message is sent outside of allowed window');
      return;
    default:
      throw invalid('The parameter messaging_type is required');
  }
}

function reusableOf(content: Fields): boolean {
  const attachment = content.attachment as { payload?: { is_reusable?: unknown } } | undefined;
  return attachment?.payload?.is_reusable === true || attachment?.payload?.is_reusable === 'true';
}

async function attachmentsOf(
  state: MetaState,
  page: MetaPage,
  content: Fields,
  file: GraphBody['file'],
): Promise<MetaAttachment[]> {
  if (content.attachments !== undefined) {
    const list = content.attachments;
    if (!Array.isArray(list) || list.length === 0 || list.length > 30)
      throw invalid('attachments takes 1 to 30 images');
    const all = list.map((each) => objectOf(each, 'attachments[]'));
    if (all.some((each) => each.type !== 'image')) throw invalid('attachments takes images only');
    return Promise.all(all.map((each) => attachmentOf(state, page, each, null)));
  }
  if (content.attachment === undefined) return [];
  return [await attachmentOf(state, page, objectOf(content.attachment, 'attachment'), file)];
}

async function attachmentOf(
  state: MetaState,
  page: MetaPage,
  given: Fields,
  file: GraphBody['file'],
): Promise<MetaAttachment> {
  const type = given.type as MetaAttachment['type'];
  if (!types.includes(type)) throw invalid('attachment.type must be image, video, audio or file');
  const payload = objectOf(given.payload ?? {}, 'payload');
  if (payload.attachment_id !== undefined) {
    const upload = state.uploads.get(scalar(payload.attachment_id));
    if (upload?.pageId !== page.id) throw new GraphError(100, 2018074, '(#100) The attachment id is unknown');
    return upload.attachment;
  }
  if (payload.url === undefined && !file) throw invalid('attachment.payload needs url, attachment_id or a file part');
  const found = file ?? (await fetchAttachment(scalar(payload.url)));
  requireTypeAndSize(type, found, file === null);
  return { id: idFor(newMid()), type, file: found };
}
