// How long the HTML of a note takes, of texts made to be slow (T-25): against escaping the same text for an address.
import { composeNote, piecesOf, type NoteHeader, type NoteMessage } from '../src/history/compose.ts';
import { hugeTexts } from '../test/support/hostile-texts.ts';

/** For a text of up to a million characters, and for each further million (T-25). */
const limitMs = 50;

const header: NoteHeader = {
  language: 'en',
  timeZone: 'Europe/Stockholm',
  channelName: 'WhatsApp',
  providerName: 'WhatsApp',
  contactName: 'Hannah',
  assigneeName: null,
  conversationUrl: 'https://inbox.example/conversations/1',
  mark: '0'.repeat(32),
  version: 0,
};

/** Prints what was measured; answers what took too long. */
export function measureNotes(): Promise<string | undefined> {
  const slow = Object.entries(hugeTexts)
    .filter(([, text]) => text.length > 1_000)
    .flatMap(([name, text]) => {
      const ours = quickest(() => piecesOf(messageOf(text)).forEach((piece) => composeNote(header, [piece])));
      const bare = quickest(() => encodeURIComponent(text));
      const size = `${Math.round(text.length / 1_000)},000 characters`;
      console.log(
        `${name.padEnd(12)} ${size.padStart(20)} ${ours.toFixed(1).padStart(6)} ms   bare ${bare.toFixed(1)} ms`,
      );
      return ours > limitMs * Math.max(1, text.length / 1_000_000) ? [`${name}: ${ours.toFixed(1)} ms`] : [];
    });
  return Promise.resolve(slow.length === 0 ? undefined : slow.join('; '));
}

function messageOf(text: string): NoteMessage {
  return {
    key: '01a21a60-e66d-70f9-b21a-0869bfb5caed',
    authorName: 'Hannah',
    isOutbound: false,
    kind: 'text',
    text,
    attachments: [],
    details: null,
    reactions: [],
    failure: null,
    createdAt: '2026-11-27T01:00:00.000Z',
    shown: '',
  };
}

function quickest(work: () => unknown): number {
  const runs = Array.from({ length: 5 }, () => {
    const begun = performance.now();
    work();
    return performance.now() - begun;
  });
  return Math.min(...runs);
}
