// What stands in a note: header and messages in a safe subset of HTML, everything from outside escaped (H1, H5, H6). Pure.
import { isTimeZone } from '../base/clock.ts';
import { text } from '../base/texts.ts';
import type { MessageKind } from '../db/tables.ts';
import { withoutMarks } from '../inbox/clean-text.ts';

export interface NoteHeader {
  readonly language: string;
  readonly timeZone: string;
  readonly channelName: string;
  readonly providerName: string;
  readonly contactName: string;
  readonly assigneeName: string | null;
  readonly conversationUrl: string;
  /** Finds this note again among a record's notes; travels in the link's address. */
  readonly mark: string;
  /** Counts the writes of this note; tells whether a write whose answer was lost was carried out. */
  readonly version: number;
}

export interface NoteMessage {
  /** Message id, with `#n` for the later pieces of a very long one. */
  readonly key: string;
  readonly authorName: string;
  readonly isOutbound: boolean;
  readonly kind: MessageKind;
  readonly text: string;
  readonly attachments: readonly string[];
  readonly details: NoteDetails | null;
  readonly reactions: readonly string[];
  /** Why it was not sent, in the company's language; null for what was. */
  readonly failure: string | null;
  readonly createdAt: string;
  /** Fingerprint of all this. */
  readonly shown: string;
}

/** Of a message's details, what a note says. */
export interface NoteDetails {
  readonly location?: {
    readonly latitude: number;
    readonly longitude: number;
    readonly name?: string;
    readonly address?: string;
  };
  readonly contacts?: readonly { readonly name: string; readonly phones: readonly string[] }[];
  readonly shared?: { readonly title?: string; readonly url?: string };
  readonly edited?: true;
}

/** Pipedrive takes about 100,000 characters; escapes and its own sanitising need room. */
const maxNoteLength = 90_000;
/** A message longer than this is cut into pieces, each a message to the notes. */
const maxPieceLength = 12_000;

/** HTML of a whole note. */
export function composeNote(header: NoteHeader, messages: readonly NoteMessage[]): string {
  return [headerHtml(header), ...messages.map((message) => messageHtml(header, message))].join('<br>');
}

/** How many of `messages`, from the first on, a note with this header and these before can hold. */
export function fitting(header: NoteHeader, before: readonly NoteMessage[], messages: readonly NoteMessage[]): number {
  let length = sizeOf(composeNote(header, before));
  let count = 0;
  for (const message of messages) {
    length += sizeOf(messageHtml(header, message)) + 4;
    if (length > maxNoteLength) break;
    count += 1;
  }
  return count;
}

/** Characters or bytes, whichever is more: which of them Pipedrive counts is not documented. */
function sizeOf(html: string): number {
  return Math.max(html.length, Buffer.byteLength(html));
}

function headerHtml(header: NoteHeader): string {
  const say = sayIn(header.language);
  const who =
    header.assigneeName === null
      ? say('note.unassigned')
      : say('note.assigned', { name: withoutMarks(header.assigneeName) });
  const title = `${header.contactName} · ${header.providerName}, ${header.channelName}`;
  const address = `${header.conversationUrl}?note=${header.mark}.${header.version}`;
  return [
    `<b>${nameHtml(title)}</b>`,
    `${who} · <a href="${escapeHtml(address)}">${say('note.open')}</a>`,
    `<i>${say('note.zone', { zone: header.timeZone })}</i>`,
    '',
  ].join('<br>');
}

function sayIn(language: string): (key: string, values?: Record<string, string>) => string {
  return (key, values = {}) => escapeHtml(text(language, key, values));
}

function messageHtml(header: NoteHeader, message: NoteMessage): string {
  const time = formatFor(header).format(new Date(message.createdAt));
  const say = sayIn(header.language);
  const marks = [
    ...(message.details?.edited ? [say('note.edited')] : []),
    ...(message.failure === null ? [] : [escapeHtml(message.failure)]),
  ];
  const lines = [
    ...(message.kind === 'text' || message.kind === 'postback' || message.text !== '' ? [textHtml(message.text)] : []),
    ...detailLines(message.details),
    ...message.attachments.map((name) => attachmentHtml(header, message, name)),
  ];
  const shown = lines.length > 0 ? lines : [`<i>${say(`kind.${message.kind}`)}</i>`];
  const reactions =
    message.reactions.length > 0 ? [`<i>${say('note.reactions', { list: message.reactions.join(' ') })}</i>`] : [];
  const arrow = message.isOutbound ? '→ ' : '';
  const head = `<b>${arrow}${nameHtml(message.authorName)}</b> ${escapeHtml(time)}${marks.map((mark) => ` (${mark})`).join('')}`;
  return [head, ...shown, ...reactions].join('<br>');
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** Making one takes longer than a hundred uses of it. */
function formatFor({ language, timeZone }: NoteHeader): Intl.DateTimeFormat {
  const key = `${language} ${timeZone}`;
  const known = formats.get(key);
  if (known) return known;
  const made = new Intl.DateTimeFormat(language === 'sv' ? 'sv-SE' : 'en-GB', {
    dateStyle: 'short',
    timeStyle: 'short',
    timeZone: isTimeZone(timeZone) ? timeZone : 'UTC',
  });
  formats.set(key, made);
  return made;
}

/** The inbox's own address of the message: a signed link to the file would die, and whoever opens this one must be allowed to. */
function attachmentHtml(header: NoteHeader, message: NoteMessage, name: string): string {
  const address = `${header.conversationUrl}?message=${message.key.split('#')[0]!}`;
  const isMedia = /^(image|video|audio|sticker)$/.test(message.kind);
  const kind = text(header.language, isMedia ? `kind.${message.kind}` : 'kind.file');
  return `<a href="${escapeHtml(address)}">${nameHtml(`${kind}: ${name}`)}</a>`;
}

function detailLines(details: NoteDetails | null): string[] {
  const lines: string[] = [];
  if (details?.location) {
    const { latitude, longitude, name, address } = details.location;
    const where = [name, address].filter((part) => part !== undefined && part !== '');
    lines.push(nameHtml([...where, `${latitude.toFixed(5)}, ${longitude.toFixed(5)}`].join(' · ')));
  }
  for (const { name, phones } of details?.contacts ?? []) lines.push(nameHtml([name, ...phones].join(' · ')));
  if (details?.shared) {
    const { title, url } = details.shared;
    lines.push(nameHtml([title, url].filter((part) => part !== undefined && part !== '').join(' · ')));
  }
  return lines.filter((line) => line !== '');
}

function textHtml(content: string): string {
  return escapeHtml(content).replace(/\r\n|\r|\n|\u2028|\u2029/g, '<br>');
}

function escapeHtml(value: string): string {
  return value.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

/** A name shares its line with our words: what could turn them around is left out. In a message each line stands alone. */
function nameHtml(value: string): string {
  return escapeHtml(withoutMarks(value)).replace(/\s+/g, ' ');
}

/** Cuts a very long message into pieces, never inside a character as people see it. */
export function piecesOf(message: NoteMessage): NoteMessage[] {
  if (message.text.length <= maxPieceLength) return [message];
  const pieces: string[] = [];
  for (let start = 0; start < message.text.length;) {
    const end = cutBefore(message.text, start, start + maxPieceLength);
    pieces.push(message.text.slice(start, end));
    start = end;
  }
  return pieces.map((piece, index) => ({
    ...message,
    key: index === 0 ? message.key : `${message.key}#${index + 1}`,
    text: piece,
    attachments: index === 0 ? message.attachments : [],
    reactions: index === 0 ? message.reactions : [],
    details: index === 0 ? message.details : null,
  }));
}

/** How far around a cut we look for the bounds of a character; some are made of thousands of marks and are cut after all. */
const cutLook = 200;

function cutBefore(content: string, start: number, wanted: number): number {
  if (wanted >= content.length) return content.length;
  const from = Math.max(start, wanted - cutLook);
  const around = content.slice(from, wanted + cutLook);
  let cut = -1;
  for (const { index } of new Intl.Segmenter(undefined, { granularity: 'grapheme' }).segment(around)) {
    if (index > 0 && from + index <= wanted) cut = from + index;
  }
  if (cut > start) return cut;
  const code = content.charCodeAt(wanted - 1);
  return code >= 0xd800 && code <= 0xdbff ? wanted - 1 : wanted;
}

/** The version of ours that stands in a note's content, if any. */
export function versionIn(content: string, mark: string): number | undefined {
  const found = new RegExp(`note=${mark}\\.(\\d+)`).exec(content)?.[1];
  return found === undefined ? undefined : Number(found);
}

/** The marks of all notes of ours of which something stands in a note's content, each once. */
export function marksIn(content: string): string[] {
  return [...new Set(Array.from(content.matchAll(/[?;&]note=([0-9a-f]{32})\.\d/g), ([, mark]) => mark!))];
}

/** Whether two pieces of HTML say the same, whatever a sanitiser did to tags, entities and blanks. */
export function saysTheSame(left: string, right: string): boolean {
  return plain(left) === plain(right);
}

function plain(html: string): string {
  return html
    .replace(/<[^>]*>/g, ' ')
    .replace(
      /&(?:#(\d+)|#x([0-9a-f]+)|(amp|lt|gt|quot|apos|nbsp));/gi,
      (_, decimal?: string, hex?: string, name?: string) =>
        decimal
          ? String.fromCodePoint(Number(decimal))
          : hex
            ? String.fromCodePoint(parseInt(hex, 16))
            : (entities[name!.toLowerCase()] ?? ''),
    )
    .replace(/\s+/g, '');
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' };
