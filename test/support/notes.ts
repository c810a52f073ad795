// Verbs for tests of notes: a customer whose conversation is linked to a person of his own, and what his notes say.
import type { Conversation, Link } from '../../src/web/contract.ts';
import type { Note, Person } from '../../sandbox/pipedrive/state.ts';
import { newNumber, type TestUser, type World } from './world.ts';

export interface LinkedCustomer {
  readonly name: string;
  readonly phone: string;
  readonly person: Person;
  readonly conversation: Conversation;
  readonly link: Link;
  writes(text: string): Promise<void>;
  /** The notes on his person, oldest first, with what they say as text. */
  notes(): (Note & { words: string })[];
}

export async function linkedCustomer(
  here: World,
  number: string,
  options: { name?: string; by?: TestUser; first?: string } = {},
): Promise<LinkedCustomer> {
  const name = options.name ?? 'Hannah Whitcombe-Sjögren';
  const by = options.by ?? here.admin;
  const phone = newNumber();
  const customer = here.sandbox.twilio.customer(phone, { name });
  const writes = async (text: string): Promise<void> => {
    await customer.writes(text, { to: number });
  };
  await writes(options.first ?? 'Hello');
  const conversation = await by.conversationWith(name);
  const person = here.sandbox.pipedrive.addPerson(here.company, { name, phone });
  const [link] = await by.links(conversation.id, { type: 'person', recordId: String(person.id) });
  await noted(here);
  return {
    name,
    phone,
    person,
    conversation,
    link: link!,
    writes,
    notes: () =>
      here.sandbox.pipedrive.notesOf('person', person.id).map((note) => ({ ...note, words: wordsOf(note.content) })),
  };
}

/** Lets what is gathered be written: moves the clock over the gathering and waits until nothing is due. */
export async function noted(here: World): Promise<void> {
  await here.settled();
  for (let round = 0; round < 3; round += 1) {
    here.clock.advance(1_000);
    await here.settled();
  }
}

/** What a reader sees of a note, a line a line. */
export function wordsOf(html: string): string {
  return html
    .replace(/<br \/>/g, '\n')
    .replace(/<[^>]*>/g, '')
    .replace(/&(?:#(\d+)|(amp|lt|gt|quot));/g, (_, code?: string, name?: keyof typeof signs) =>
      name === undefined ? String.fromCodePoint(Number(code)) : signs[name],
    );
}

const signs = { amp: '&', lt: '<', gt: '>', quot: '"' } as const;

/** How often each of these texts stands in these notes. */
export function counts(notes: readonly { words: string }[], texts: readonly string[]): number[] {
  const lines = notes.flatMap(({ words }) => words.split('\n'));
  return texts.map((text) => lines.filter((line) => line === text).length);
}
