// What stands in a note: header and messages in a safe subset of HTML, everything from outside escaped (H1, H5, H6). Pure.
import { text } from '../base/texts.ts';
import type { MessageKind } from '../db/tables.ts';

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
  readonly failed: boolean;
  readonly createdAt: string;
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
  const say = (key: string, values: Record<string, string> = {}): string =>
    escapeHtml(text(header.language, key, values));
  const who =
    header.assigneeName === null ? say('note.unassigned') : say('note.assigned', { name: header.assigneeName });
  const title = `${header.contactName} · ${header.providerName}, ${header.channelName}`;
  const address = `${header.conversationUrl}?note=${header.mark}.${header.version}`;
  return [
    `<b>${escapeHtml(title)}</b>`,
    `${who} · <a href="${escapeHtml(address)}">${say('note.open')}</a>`,
    `<i>${say('note.zone', { zone: header.timeZone })}</i>`,
    '',
  ].join('<br>');
}

function messageHtml(header: NoteHeader, message: NoteMessage): string {
  const time = new Intl.DateTimeFormat(header.language === 'sv' ? 'sv-SE' : 'en-GB', {
    dateStyle: 'short',
    timeStyle: 'short',
    timeZone: header.timeZone,
  }).format(new Date(message.createdAt));
  const say = (key: string, values: Record<string, string> = {}): string =>
    escapeHtml(text(header.language, key, values));
  const marks = message.failed ? ` (${say('note.notSent')})` : '';
  const lines = [
    ...(message.kind === 'text' || message.kind === 'postback' || message.text !== '' ? [textHtml(message.text)] : []),
    ...message.attachments.map(
      (name) => `<a href="${escapeHtml(header.conversationUrl)}">${say('note.attachment', { name })}</a>`,
    ),
    ...(message.text === '' && message.attachments.length === 0 ? [`<i>${say(`kind.${message.kind}`)}</i>`] : []),
  ];
  const arrow = message.isOutbound ? '→ ' : '';
  return `<b>${arrow}${escapeHtml(message.authorName)}</b> ${escapeHtml(time)}${marks}<br>${lines.join('<br>')}`;
}

function textHtml(content: string): string {
  return escapeHtml(content).replace(/\r\n|\r|\n|\u2028|\u2029/g, '<br>');
}

/** Text that is text. Direction marks are isolated, so that a name cannot turn the line around it. */
function escapeHtml(value: string): string {
  const escaped = value.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
  return /[\u202a-\u202e\u2066-\u2069]/.test(escaped) ? escaped.replace(/[\u202a-\u202e\u2066-\u2069]/g, '') : escaped;
}

/** Cuts a very long message into pieces, never inside a character. */
export function piecesOf(message: NoteMessage): NoteMessage[] {
  if (message.text.length <= maxPieceLength) return [message];
  const segments = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
  const pieces: string[] = [''];
  for (const { segment } of segments.segment(message.text)) {
    // A single "character" may be made of thousands of marks: that one is cut after all.
    for (let at = 0; at < segment.length; at += maxPieceLength) {
      const part = segment.slice(at, at + maxPieceLength);
      if (pieces.at(-1)!.length + part.length > maxPieceLength) pieces.push('');
      pieces[pieces.length - 1] += part;
    }
  }
  return pieces.map((piece, index) => ({
    ...message,
    key: index === 0 ? message.key : `${message.key}#${index + 1}`,
    text: piece,
    attachments: index === 0 ? message.attachments : [],
  }));
}

/** The version of ours that stands in a note's content, if any. */
export function versionIn(content: string, mark: string): number | undefined {
  const found = new RegExp(`note=${mark}\\.(\\d+)`).exec(content)?.[1];
  return found === undefined ? undefined : Number(found);
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
