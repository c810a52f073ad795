// Copies an inbound attachment to our storage (C6): provider links expire. A failed copy shows, and never costs the message.
import { z } from 'zod';
import { UpstreamError } from '../base/errors.ts';
import type { MessageDetails } from '../channels/provider.ts';
import type { Tx } from '../db/database.ts';
import type { AttachmentRow, ChannelRow, MessageRow } from '../db/tables.ts';
import { defineTask } from '../jobs/queue.ts';
import { cleanText, cleanTexts } from './clean-text.ts';
import { accessOf, type FetchedMedia, type InboxDeps } from './deps.ts';
import { removeMedia } from './remove-media.ts';
import { readCards, type Card } from './vcard.ts';

/** A provider's media may be not there yet just after its webhook; then it is asked again for some minutes. */
const maxAttempts = 6;

export const fetchMedia = defineTask(
  'fetch-media',
  z.object({ attachmentId: z.string() }),
  async (deps: InboxDeps, { attachmentId }, job) => {
    const found = await deps.db.read(async (reader) => {
      const attachment = await reader.one<AttachmentRow>(
        `select * from attachment where id = ? and state = 'pending'`,
        [attachmentId],
      );
      const channel =
        attachment &&
        (await reader.one<ChannelRow>(
          'select ch.* from channel ch join message m on m.channel_id = ch.id where m.id = ?',
          [attachment.messageId],
        ));
      return attachment && channel ? { attachment, channel } : undefined;
    });
    if (!found || found.attachment.sourceUrl === null) return;
    const { attachment, channel } = found;
    if (channel.state === 'disconnected') return settle(deps, attachment, { state: 'failed' });
    try {
      const media = await fetchFrom(deps, channel, attachment);
      if (!isOfKind(attachment.kind, media.contentType)) {
        await deps.removeMedia(media.mediaKey);
        return await settle(deps, attachment, { state: 'failed' });
      }
      await settle(deps, attachment, { state: 'ready', ...media }, await cardsOf(deps, media));
    } catch (error) {
      if (error instanceof UpstreamError && error.kind !== 'refused' && !job.lastAttempt) throw error;
      if (!(error instanceof UpstreamError)) deps.log.warn({ err: error }, 'an attachment could not be fetched');
      await settle(deps, attachment, { state: 'failed' });
    }
  },
  { maxAttempts },
);

/** From where the webhook said; if that address has ended, from where the provider says that it is now. */
async function fetchFrom(deps: InboxDeps, channel: ChannelRow, attachment: AttachmentRow): Promise<FetchedMedia> {
  const provider = deps.provider(channel.provider);
  const access = accessOf(deps, channel);
  const rules = provider.mediaRules(access);
  try {
    return await deps.fetchMedia(attachment.sourceUrl!, rules);
  } catch (error) {
    const hasEnded = error instanceof UpstreamError && (error.status === 403 || error.status === 410);
    if (!hasEnded || !provider.currentMedia) throw error;
    const message = await deps.db.read((reader) =>
      reader.one<MessageRow>('select * from message where id = ?', [attachment.messageId]),
    );
    const files = message?.providerMessageId ? await provider.currentMedia(access, message.providerMessageId) : [];
    const now = files[attachment.position]?.url;
    if (now === undefined) throw error;
    return deps.fetchMedia(now, rules);
  }
}

/**
 * Whether the bytes are what the provider said. Pictures are drawn, so they must be pictures; of sound and film, whose
 * formats share containers and are not all known by their first bytes, only what is surely something else is refused.
 */
function isOfKind(kind: AttachmentRow['kind'], contentType: string): boolean {
  if (kind === 'image' || kind === 'sticker') return contentType.startsWith('image/');
  return kind === 'file' || /^(audio|video)\/|^application\/(ogg|octet-stream)/.test(contentType);
}

type Settled =
  | { state: 'failed' }
  | {
      state: 'ready';
      mediaKey: string;
      contentType: string;
      size: number;
      width: number | null;
      height: number | null;
    };

async function settle(
  deps: InboxDeps,
  attachment: AttachmentRow,
  outcome: Settled,
  cards: readonly Card[] = [],
): Promise<void> {
  await deps.db.transaction(async (tx) => {
    if (outcome.state === 'failed')
      await tx.query(`update attachment set state = 'failed' where id = ?`, [attachment.id]);
    else {
      const kept = await tx.query(
        `update attachment set state = 'ready', media_key = ?, content_type = ?, size = ?, width = ?, height = ?,
           source_url = null where id = ? returning id`,
        [outcome.mediaKey, outcome.contentType, outcome.size, outcome.width, outcome.height, attachment.id],
      );
      // Erased meanwhile: the copy goes too.
      if (kept.length === 0) return deps.queue.enqueue(tx, removeMedia, { keys: [outcome.mediaKey] });
    }
    await storeCards(tx, attachment.messageId, cards);
    await recordMessage(deps, tx, attachment.messageId);
  });
}

/** A card with a picture in it is larger; nobody's names and numbers are. */
const maxCardBytes = 1_000_000;

async function cardsOf(deps: InboxDeps, media: FetchedMedia): Promise<Card[]> {
  if (media.contentType !== 'text/vcard' || media.size > maxCardBytes) return [];
  return readCards((await deps.mediaBytes(media.mediaKey)).toString('utf8'));
}

/** What a contact card holds is shown, found and noted like words of the message. */
async function storeCards(tx: Tx, messageId: string | null, cards: readonly Card[]): Promise<void> {
  const message = await tx.one<MessageRow>(`select * from message where id = ? and kind = 'contact'`, [messageId]);
  if (!message || cards.length === 0) return;
  const details = { ...(JSON.parse(message.details ?? '{}') as MessageDetails), contacts: cards };
  const words = cards.map(({ name, phones }) => [name, ...phones.filter((phone) => phone !== name)].join(', '));
  await tx.query('update message set details = ?, text = ? where id = ?', [
    JSON.stringify(cleanTexts(details)),
    message.text === '' ? cleanText(words.join('\n')) : message.text,
    message.id,
  ]);
}

export async function recordMessage(deps: InboxDeps, tx: Tx, messageId: string | null): Promise<void> {
  const message = await tx.one<MessageRow>('select * from message where id = ?', [messageId]);
  if (!message) return;
  const conversation = { id: message.conversationId, companyId: message.companyId };
  await deps.changes.record(tx, { kind: 'message.changed', conversation, message });
}
