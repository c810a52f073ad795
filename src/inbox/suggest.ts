// Persons in Pipedrive that may be this contact, found before a new one is made (L3).
import { UpstreamError } from '../base/errors.ts';
import { text } from '../base/texts.ts';
import type { Viewer } from '../companies/access.ts';
import type { ContactIdentityRow, ContactRow } from '../db/tables.ts';
import { openDealsOf } from '../pipedrive/records.ts';
import { personsByName, personsByPhone, type FoundPerson } from '../pipedrive/search-records.ts';
import type { Suggestion } from '../web/contract.ts';
import { conversationFor } from './conversation.ts';
import type { LinkDeps } from './link.ts';
import { isSamePhone, spellings } from './phone-variants.ts';

const mostPersons = 5;

type Reason = Suggestion['reasonCode'];

interface Candidate {
  readonly person: FoundPerson;
  readonly reasonCode: Reason;
  readonly phone: string | null;
}

export async function suggest(deps: LinkDeps, viewer: Viewer, conversationId: string): Promise<Suggestion[]> {
  const { contact, phone } = await deps.db.read(async (reader) => {
    const conversation = await conversationFor(reader, viewer, conversationId);
    const found = await reader.one<ContactRow>('select * from contact where id = ?', [conversation.contactId]);
    const identity = await reader.one<ContactIdentityRow>(
      `select * from contact_identity where contact_id = ? and type = 'phone'`,
      [conversation.contactId],
    );
    return { contact: found!, phone: identity?.value ?? null };
  });
  const client = deps.pipedriveFor(viewer);
  const byPhone = phone === null ? [] : await personsByPhone(client, spellings(phone));
  const hasName = /\p{L}{2}/u.test(contact.name);
  const byName = hasName ? await personsByName(client, contact.name) : [];
  const candidates = rank(phone, contact.name, byPhone, byName).slice(0, mostPersons);
  return Promise.all(
    candidates.map(async ({ person, reasonCode, phone: written }) => ({
      recordId: person.recordId,
      name: person.name,
      organization: person.organization,
      reasonCode,
      reason: text(viewer.language, `link.reason.${reasonCode}`, { number: written ?? '' }),
      // Deals are an offer: a missing right to see them must not hide the person.
      openDeals: await openDealsOf(client, person.recordId).catch((error: unknown) => {
        if (error instanceof UpstreamError) return [];
        throw error;
      }),
    })),
  );
}

/** The same number first, then the same name; each person once, with his strongest reason. */
function rank(
  phone: string | null,
  name: string,
  byPhone: readonly FoundPerson[],
  byName: readonly FoundPerson[],
): Candidate[] {
  const found = new Map<string, Candidate>();
  for (const person of [...byPhone, ...byName]) {
    for (const typed of phone === null ? [] : person.phones) {
      const match = isSamePhone(typed, phone!);
      if (!match || found.get(person.recordId)?.reasonCode === 'same_number') continue;
      const reasonCode = match === 'same' ? 'same_number' : 'same_number_written_differently';
      found.set(person.recordId, { person, reasonCode, phone: typed });
    }
  }
  for (const person of byName) {
    if (found.has(person.recordId) || !sameName(person.name, name)) continue;
    found.set(person.recordId, { person, reasonCode: 'same_name', phone: person.phones[0] ?? null });
  }
  const order: readonly Reason[] = ['same_number', 'same_number_written_differently', 'same_name'];
  return [...found.values()].sort((left, right) => order.indexOf(left.reasonCode) - order.indexOf(right.reasonCode));
}

/** Whether two names are the same to a reader: capitals and blanks do not count. */
export function sameName(left: string, right: string): boolean {
  const plain = (name: string): string => name.normalize('NFKC').toLowerCase().replace(/\s+/g, ' ').trim();
  return plain(left) === plain(right);
}
