// What a WhatsApp message says, from the fields of its webhook (Messaging webhooks: request parameters). Unknown fields are left alone.
import type { MediaKind, MessageDetails, MessageKind, RemoteMedia } from '../provider.ts';

export interface Content {
  readonly kind: MessageKind;
  readonly text: string;
  readonly media: readonly RemoteMedia[];
  readonly details: MessageDetails | null;
}

type Fields = ReadonlyMap<string, string>;

export function contentOf(fields: Fields): Content {
  const media = mediaOf(fields);
  const place = placeOf(fields);
  const [first] = media;
  const body = fields.get('Body') ?? '';
  const details = detailsOf(fields, place);
  if (place) return { kind: 'location', text: placeText(place), media, details };
  if (first) {
    // A document's own name comes as its text (sample inbound-document-pdf; nowhere documented).
    const text = first.kind === 'file' && first.name === body ? '' : body;
    return { kind: messageKind(first, text), text, media, details };
  }
  const pressed = fields.get('ButtonText') ?? fields.get('ListTitle');
  if (pressed) return { kind: 'postback', text: pressed, media, details };
  const answers = flowAnswers(fields);
  if (answers !== '') return { kind: 'postback', text: [body, answers].filter(Boolean).join('\n'), media, details };
  if (body === '' || fields.get('MessageType') === 'unsupported')
    return { kind: 'unsupported', text: body, media, details };
  return { kind: 'text', text: body, media, details };
}

type Place = NonNullable<MessageDetails['location']>;

function placeOf(fields: Fields): Place | undefined {
  const latitude = Number(fields.get('Latitude'));
  const longitude = Number(fields.get('Longitude'));
  const isPlace = fields.has('Latitude') && fields.has('Longitude');
  if (!isPlace || !(Math.abs(latitude) <= 90) || !(Math.abs(longitude) <= 180)) return undefined;
  const [name, address] = [fields.get('Label'), fields.get('Address')];
  return { latitude, longitude, ...(name ? { name } : {}), ...(address ? { address } : {}) };
}

/** For lists, search and notes, which show text only. */
function placeText(place: Place): string {
  return [place.name, place.address, `${place.latitude}, ${place.longitude}`].filter(Boolean).join('\n');
}

function detailsOf(fields: Fields, location: Place | undefined): MessageDetails | null {
  const referral = referralOf(fields);
  const isForwarded = fields.get('Forwarded') === 'true' || fields.get('FrequentlyForwarded') === 'true';
  const details: MessageDetails = {
    ...(location ? { location } : {}),
    ...(isForwarded ? { forwarded: true } : {}),
    ...(referral ? { referral } : {}),
  };
  return Object.keys(details).length === 0 ? null : details;
}

/** `ReferralNumMedia` comes with every message; these two only after a tap on an ad. */
function referralOf(fields: Fields): MessageDetails['referral'] {
  if (!fields.get('ReferralCtwaClid') && !fields.get('ReferralSourceId')) return undefined;
  const [title, body, url] = ['ReferralHeadline', 'ReferralBody', 'ReferralSourceUrl'].map((name) => fields.get(name));
  return {
    source: fields.get('ReferralSourceType') || 'ad',
    ...(title ? { title } : {}),
    ...(body ? { body } : {}),
    ...(url && /^https?:\/\//.test(url) ? { url } : {}),
  };
}

/** The answers of a filled-in form, one a line; the form's own token is no answer. */
function flowAnswers(fields: Fields): string {
  const told = fields.get('FlowData') ?? fields.get('InteractiveData');
  if (!told) return '';
  try {
    const answers: unknown = JSON.parse(told);
    if (typeof answers !== 'object' || answers === null) return '';
    return Object.entries(answers)
      .filter(([name, value]) => name !== 'flow_token' && ['string', 'number', 'boolean'].includes(typeof value))
      .map(([name, value]) => `${name}: ${String(value)}`)
      .join('\n');
  } catch {
    return '';
  }
}

function mediaOf(fields: Fields): RemoteMedia[] {
  const told = Number(fields.get('NumMedia') ?? '0');
  const count = Number.isInteger(told) && told > 0 ? Math.min(told, 10) : 0;
  return Array.from({ length: count }, (_, index) => index).flatMap((index) => {
    const url = fields.get(`MediaUrl${index}`);
    if (!url) return [];
    const contentType = fields.get(`MediaContentType${index}`) ?? null;
    const body = count === 1 ? fields.get('Body') : undefined;
    return [remoteMedia(url, contentType, fields.get('MessageType'), body)];
  });
}

/** A file as we take it: `body` is the message's text if it has this one file. */
export function remoteMedia(
  url: string,
  contentType: string | null,
  messageType: string | undefined,
  body: string | undefined,
): RemoteMedia {
  const kind = mediaKind(contentType, messageType);
  return { kind, url, contentType, name: nameOf(kind, contentType, body) };
}

/** What a message is by its first file and its text, where nothing else is known of it. */
export function messageKind(first: RemoteMedia | undefined, text: string): MessageKind {
  if (first) return isContactCard(first) ? 'contact' : first.kind;
  return text === '' ? 'unsupported' : 'text';
}

function mediaKind(contentType: string | null, messageType: string | undefined): MediaKind {
  if (messageType === 'sticker') return 'sticker';
  const main = contentType?.split('/')[0];
  return main === 'image' || main === 'video' || main === 'audio' ? main : 'file';
}

function nameOf(kind: MediaKind, contentType: string | null, body: string | undefined): string {
  if (kind === 'file' && body !== undefined && /^[^\r\n/\\]{1,200}\.[A-Za-z0-9]{1,5}$/.test(body)) return body;
  const ending = endings[contentType?.split(';')[0] ?? ''];
  const word = kind === 'file' ? 'document' : kind;
  return ending === undefined ? word : `${word}.${ending}`;
}

/** Files come without a name; one that opens with the right program is better than none. */
const endings: Readonly<Record<string, string>> = {
  'image/jpeg': 'jpg',
  'image/png': 'png',
  'image/webp': 'webp',
  'audio/ogg': 'ogg',
  'audio/mpeg': 'mp3',
  'audio/amr': 'amr',
  'audio/aac': 'aac',
  'audio/mp4': 'm4a',
  'video/mp4': 'mp4',
  'video/3gpp': '3gp',
  'application/pdf': 'pdf',
  'application/msword': 'doc',
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document': 'docx',
  'application/vnd.openxmlformats-officedocument.presentationml.presentation': 'pptx',
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': 'xlsx',
  'text/vcard': 'vcf',
  'text/x-vcard': 'vcf',
  'text/plain': 'txt',
};

function isContactCard(media: RemoteMedia): boolean {
  return /^text\/(x-)?vcard/.test(media.contentType ?? '');
}
