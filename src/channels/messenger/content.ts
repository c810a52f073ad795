// What a Messenger message holds (messages Webhook Event Reference): files, stickers in all their shapes, places, what was
// shared, bookings, carts. What has no words of its own is put in numbers and signs, since no language is known here.
import type { MediaKind, MessageDetails, MessageEvent, RemoteMedia } from '../provider.ts';
import { idOf, isObject, type Json } from './long-numbers.ts';

export type Content = Pick<MessageEvent, 'kind' | 'text' | 'media' | 'details'>;

const mostAttachments = 30;

export function contentOf(message: Json): Content {
  const words = textIn(message.text);
  const attachments = listIn(message.attachments).slice(0, mostAttachments);
  const media = mediaOf(attachments);
  const details = detailsOf(message, attachments);
  const rendered = attachments.map(renderedText).filter((line) => line !== '');
  const text = [words, ...rendered].filter(Boolean).join('\n');
  return { kind: kindOf(message, text, media, details, attachments), text, media, details };
}

function kindOf(
  message: Json,
  text: string,
  media: readonly RemoteMedia[],
  details: MessageDetails | null,
  attachments: readonly Json[],
): Content['kind'] {
  if (media[0]) return media[0].kind;
  if (details?.location) return 'location';
  if (details?.shared) return attachments.some(({ type }) => type === 'template') ? 'template' : 'shared';
  if (text === '') return 'unsupported';
  if (attachments.some(({ type }) => type === 'template')) return 'template';
  return isObject(message.quick_reply) ? 'postback' : 'text';
}

function detailsOf(message: Json, attachments: readonly Json[]): MessageDetails | null {
  const location = attachments.map(placeIn).find((place) => place !== undefined);
  const shared = attachments.map(sharedIn).find((found) => found !== undefined);
  const referral = isObject(message.referral) ? referralOf(message.referral) : undefined;
  if (!location && !shared && !referral) return null;
  return { ...(location ? { location } : {}), ...(shared ? { shared } : {}), ...(referral ? { referral } : {}) };
}

const mediaKinds = new Map<unknown, MediaKind>([
  ['image', 'image'],
  ['video', 'video'],
  ['audio', 'audio'],
  ['file', 'file'],
  ['sticker', 'sticker'],
]);

function mediaOf(attachments: readonly Json[]): RemoteMedia[] {
  const stickers = new Set<string>();
  return attachments.flatMap((attachment) => {
    const payload = payloadOf(attachment);
    const kind = mediaKinds.get(attachment.type);
    if (!kind || typeof payload.url !== 'string') return [];
    const sticker = idOf(payload.sticker_id);
    // From June to August 2026 a sticker came twice: as image with sticker_id and as sticker.
    if (sticker !== null && stickers.has(sticker)) return [];
    if (sticker !== null) stickers.add(sticker);
    const name = kind === 'file' ? fileName(payload.url) : null;
    return [
      { kind: sticker === null ? kind : 'sticker', url: payload.url, contentType: null, name } satisfies RemoteMedia,
    ];
  });
}

function fileName(url: string): string | null {
  if (!URL.canParse(url)) return null;
  const last = new URL(url).pathname.split('/').at(-1) ?? '';
  try {
    return decodeURIComponent(last).slice(0, 200) || null;
  } catch {
    return null;
  }
}

function placeIn(attachment: Json): MessageDetails['location'] {
  const coordinates = payloadOf(attachment).coordinates;
  if (attachment.type !== 'location' || !isObject(coordinates)) return undefined;
  const [latitude, longitude] = [Number(coordinates.lat), Number(coordinates.long)];
  if (!Number.isFinite(latitude) || !Number.isFinite(longitude)) return undefined;
  const name = textIn(attachment.title);
  return { latitude, longitude, ...(name === '' ? {} : { name }) };
}

/** A link, post or reel; its address is a page, never a file. Older and echoed ones have title and url beside `payload`. */
function sharedIn(attachment: Json): MessageDetails['shared'] {
  if (mediaKinds.has(attachment.type) || attachment.type === 'location') return undefined;
  const payload = payloadOf(attachment);
  const title = textIn(payload.title) || textIn(attachment.title);
  const url = textIn(payload.url) || textIn(attachment.url);
  if (title === '' && url === '') return undefined;
  return { ...(title === '' ? {} : { title }), ...(url === '' ? {} : { url }) };
}

/** Bookings and products have no text of their own. */
function renderedText(attachment: Json): string {
  const payload = payloadOf(attachment);
  if (attachment.type === 'appointment_booking') return bookingText(payload);
  const product = isObject(payload.product) ? payload.product : {};
  return listIn(product.elements)
    .map((element) => [textIn(element.title), textIn(element.subtitle)].filter(Boolean).join(', '))
    .filter(Boolean)
    .join('\n');
}

/** Times are in seconds here, unlike everywhere else. */
function bookingText(payload: Json): string {
  const zone = textIn(payload.timezone) || 'UTC';
  const at = (value: unknown): string => {
    const seconds = Number(value);
    if (!Number.isFinite(seconds) || seconds <= 0) return '';
    const date = new Date(seconds * 1_000);
    try {
      // `sv-SE` writes dates as ISO 8601 does: 2026-11-25 14:00.
      return date.toLocaleString('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'short' });
    } catch {
      return date.toISOString();
    }
  };
  const times = [at(payload.start_time), at(payload.end_time)].filter(Boolean).join(' – ');
  return `📅 ${[times, zone, textIn(payload.status)].filter(Boolean).join(', ')}`;
}

/** A number or a text as text; anything else as none. */
function scalar(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** A cart that was sent (send_cart). */
export function orderText(order: Json): string {
  const lines = listIn(order.products).map((product) => {
    const price = [scalar(product.unit_price), scalar(product.currency)].filter(Boolean).join(' ');
    return `🛒 ${scalar(product.quantity) || '1'} × ${[textIn(product.name), price].filter(Boolean).join(', ')}`;
  });
  return [...lines, textIn(order.note)].filter(Boolean).join('\n');
}

/** Answers to a feedback form, with what was written beside them. */
export function answersOf(feedback: Json): string {
  const questions = listIn(feedback.feedback_screens).flatMap(({ questions: all }) =>
    isObject(all) ? Object.values(all).filter(isObject) : [],
  );
  const lines = questions.map((question) => {
    const more = isObject(question.follow_up) ? textIn(question.follow_up.payload) : '';
    return `⭐ ${[scalar(question.payload), more].filter(Boolean).join(' – ')}`;
  });
  return lines.join('\n');
}

/** The ad or link somebody came from. */
export function referralOf(referral: Json): NonNullable<MessageDetails['referral']> {
  const ad = isObject(referral.ads_context_data) ? referral.ads_context_data : {};
  const title = textIn(ad.ad_title) || textIn(referral.ref);
  const url = textIn(referral.referer_uri) || textIn(ad.photo_url) || textIn(ad.video_url);
  return {
    source: textIn(referral.source).toLowerCase() || 'link',
    ...(title === '' ? {} : { title }),
    ...(url === '' ? {} : { url }),
  };
}

function payloadOf(attachment: Json): Json {
  return isObject(attachment.payload) ? attachment.payload : {};
}

function listIn(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function textIn(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
