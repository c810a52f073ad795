// Searches of persons, leads and deals (v2): what a user picks from, and who may be the person that is looked for.
import { z } from 'zod';
import type { PipedriveClient } from './client.ts';
import type { RecordType } from './records.ts';

export interface FoundRecord {
  readonly type: RecordType;
  readonly recordId: string;
  readonly title: string;
  readonly subtitle: string | null;
  readonly personId: string | null;
}

export interface FoundPerson {
  readonly recordId: string;
  readonly name: string;
  readonly phones: readonly string[];
  readonly organization: string | null;
}

const named = z.object({ id: z.union([z.number(), z.string()]), name: z.string().nullish() }).nullish();
const searchItem = z.object({
  id: z.union([z.number(), z.string()]),
  name: z.string().nullish(),
  title: z.string().nullish(),
  phones: z.array(z.string()).nullish(),
  value: z.number().nullish(),
  currency: z.string().nullish(),
  person: named,
  organization: named,
  stage: named,
  status: z.string().nullish(),
});
const searchShape = z.object({ data: z.object({ items: z.array(z.object({ item: searchItem })) }) });
type SearchItem = z.infer<typeof searchItem>;

const searchLimit = 20;

/** What a user picks from when linking. `term` must have at least two characters. */
export async function searchRecords(client: PipedriveClient, type: RecordType, term: string): Promise<FoundRecord[]> {
  const answer = await search(client, type, term);
  return answer.map((item) => ({
    type,
    recordId: String(item.id),
    title: item.name ?? item.title ?? '',
    subtitle: subtitleOf(type, item),
    personId: type === 'person' ? String(item.id) : item.person ? String(item.person.id) : null,
  }));
}

async function search(client: PipedriveClient, type: RecordType, term: string): Promise<SearchItem[]> {
  const limit = searchLimit;
  const answer =
    type === 'person'
      ? await client.v2(
          (sdk) => sdk.PersonsApi,
          (api) => api.searchPersons({ term, limit }),
        )
      : type === 'deal'
        ? await client.v2(
            (sdk) => sdk.DealsApi,
            (api) => api.searchDeals({ term, limit }),
          )
        : await client.v2(
            (sdk) => sdk.LeadsApi,
            (api) => api.searchLeads({ term, limit }),
          );
  return searchShape.parse(answer).data.items.map(({ item }) => item);
}

function subtitleOf(type: RecordType, item: SearchItem): string | null {
  const parts =
    type === 'person'
      ? [item.phones?.[0], item.organization?.name]
      : [item.person?.name ?? item.organization?.name, item.stage?.name];
  return parts.filter(Boolean).join(' · ') || null;
}

/** Persons whose phone holds one of these spellings; the caller compares the digits himself. */
export async function personsByPhone(client: PipedriveClient, spellings: readonly string[]): Promise<FoundPerson[]> {
  const found = new Map<string, FoundPerson>();
  for (const term of spellings) {
    const answer = await client.v2(
      (sdk) => sdk.PersonsApi,
      (api) => api.searchPersons({ term, fields: 'phone', limit: 100 }),
    );
    for (const person of searchShape.parse(answer).data.items.map(({ item }) => personOf(item)))
      found.set(person.recordId, person);
  }
  return [...found.values()];
}

export async function personsByName(client: PipedriveClient, name: string): Promise<FoundPerson[]> {
  const answer = await client.v2(
    (sdk) => sdk.PersonsApi,
    (api) => api.searchPersons({ term: name, fields: 'name', limit: searchLimit }),
  );
  return searchShape.parse(answer).data.items.map(({ item }) => personOf(item));
}

function personOf(item: SearchItem): FoundPerson {
  return {
    recordId: String(item.id),
    name: item.name ?? '',
    phones: item.phones ?? [],
    organization: item.organization?.name ?? null,
  };
}
