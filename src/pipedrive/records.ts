// Persons, leads and deals: read, searched and created with few calls (v2; leads v1).
import { z } from 'zod';
import { UpstreamError } from '../base/errors.ts';
import type { PipedriveClient } from './client.ts';

export type RecordType = 'person' | 'lead' | 'deal';

export interface FoundRecord {
  readonly type: RecordType;
  readonly recordId: string;
  readonly title: string;
  readonly subtitle: string | null;
  readonly personId: string | null;
}

export interface RecordDetails {
  readonly value: number | null;
  readonly currency: string | null;
  readonly stage: string | null;
  readonly stageIndex: number | null;
  readonly stageCount: number | null;
  readonly ownerName: string | null;
  readonly phone: string | null;
  readonly email: string | null;
  readonly organization: string | null;
}

export type ReadRecord =
  | { readonly state: 'gone' }
  | {
      readonly state: 'present';
      readonly title: string;
      readonly personId: string | null;
      readonly details: RecordDetails;
      /** Leads only. */
      readonly archived?: boolean;
    };

export interface FoundPerson {
  readonly recordId: string;
  readonly name: string;
  readonly phones: readonly string[];
  readonly organization: string | null;
}

export interface OpenDeal {
  readonly recordId: string;
  readonly title: string;
  readonly stage: string | null;
  readonly value: number | null;
  readonly currency: string | null;
}

export interface PipelineWithStages {
  readonly id: string;
  readonly name: string;
  readonly stages: readonly { readonly id: string; readonly name: string }[];
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

const dealShape = z.object({
  id: z.number(),
  title: z.string(),
  person_id: z.number().nullish(),
  org_id: z.number().nullish(),
  owner_id: z.number().nullish(),
  stage_id: z.number().nullish(),
  pipeline_id: z.number().nullish(),
  value: z.number().nullish(),
  currency: z.string().nullish(),
  status: z.string().nullish(),
  add_time: z.string().nullish(),
  is_deleted: z.boolean().nullish(),
});
const contactValue = z.array(z.object({ value: z.string().nullish(), primary: z.boolean().nullish() })).nullish();
const personShape = z.object({
  id: z.number(),
  name: z.string(),
  owner_id: z.number().nullish(),
  org_id: z.number().nullish(),
  phones: contactValue,
  emails: contactValue,
  add_time: z.string().nullish(),
  is_deleted: z.boolean().nullish(),
});
const leadShape = z.object({
  id: z.string(),
  title: z.string(),
  person_id: z.number().nullish(),
  organization_id: z.number().nullish(),
  owner_id: z.number().nullish(),
  value: z.object({ amount: z.number().nullish(), currency: z.string().nullish() }).nullish(),
  add_time: z.string().nullish(),
  is_archived: z.boolean().nullish(),
});

const noDetails: RecordDetails = {
  value: null,
  currency: null,
  stage: null,
  stageIndex: null,
  stageCount: null,
  ownerName: null,
  phone: null,
  email: null,
  organization: null,
};

/** One record as it is now, or that it is gone. */
export async function readRecord(client: PipedriveClient, type: RecordType, recordId: string): Promise<ReadRecord> {
  try {
    if (type === 'lead') return await readLead(client, recordId);
    const id = Number(recordId);
    if (!Number.isSafeInteger(id) || id <= 0) return { state: 'gone' };
    return type === 'person' ? await readPerson(client, id) : await readDeal(client, id);
  } catch (error) {
    if (error instanceof UpstreamError && error.reason === 'not_found') return { state: 'gone' };
    throw error;
  }
}

async function readPerson(client: PipedriveClient, id: number): Promise<ReadRecord> {
  const answer = await client.v2(
    (sdk) => sdk.PersonsApi,
    (api) => api.getPerson({ id }),
  );
  const person = z.object({ data: personShape }).parse(answer).data;
  if (person.is_deleted) return { state: 'gone' };
  return {
    state: 'present',
    title: person.name,
    personId: String(person.id),
    details: {
      ...noDetails,
      ownerName: await ownerName(client, person.owner_id),
      phone: primary(person.phones),
      email: primary(person.emails),
      organization: await organizationName(client, person.org_id),
    },
  };
}

async function readDeal(client: PipedriveClient, id: number): Promise<ReadRecord> {
  const answer = await client.v2(
    (sdk) => sdk.DealsApi,
    (api) => api.getDeal({ id }),
  );
  const deal = z.object({ data: dealShape }).parse(answer).data;
  if (deal.is_deleted) return { state: 'gone' };
  const pipelines = await listPipelines(client);
  const pipeline = pipelines.find(({ stages }) => stages.some((stage) => stage.id === String(deal.stage_id)));
  const stageIndex = pipeline?.stages.findIndex((stage) => stage.id === String(deal.stage_id)) ?? -1;
  return {
    state: 'present',
    title: deal.title,
    personId: deal.person_id ? String(deal.person_id) : null,
    details: {
      ...noDetails,
      value: deal.value ?? null,
      currency: deal.currency ?? null,
      stage: pipeline?.stages[stageIndex]?.name ?? null,
      stageIndex: stageIndex >= 0 ? stageIndex : null,
      stageCount: pipeline?.stages.length ?? null,
      ownerName: await ownerName(client, deal.owner_id),
      organization: await organizationName(client, deal.org_id),
    },
  };
}

async function readLead(client: PipedriveClient, id: string): Promise<ReadRecord> {
  if (!/^[0-9a-f-]{36}$/i.test(id)) return { state: 'gone' };
  const answer = await client.v1(
    (sdk) => sdk.LeadsApi,
    (api) => api.getLead({ id }),
  );
  const lead = z.object({ data: leadShape }).parse(answer).data;
  return {
    state: 'present',
    title: lead.title,
    personId: lead.person_id ? String(lead.person_id) : null,
    archived: lead.is_archived === true,
    details: {
      ...noDetails,
      value: lead.value?.amount ?? null,
      currency: lead.value?.currency ?? null,
      ownerName: await ownerName(client, lead.owner_id),
      organization: await organizationName(client, lead.organization_id),
    },
  };
}

/** Which of these records are there; persons and deals in one call for up to a hundred. */
export async function presentIds(
  client: PipedriveClient,
  type: RecordType,
  recordIds: readonly string[],
): Promise<Set<string>> {
  if (type === 'lead') {
    const present = new Set<string>();
    for (const recordId of recordIds) {
      if ((await readRecord(client, type, recordId)).state === 'present') present.add(recordId);
    }
    return present;
  }
  const ids = recordIds.join(',');
  const limit = recordIds.length;
  const answer =
    type === 'person'
      ? await client.v2(
          (sdk) => sdk.PersonsApi,
          (api) => api.getPersons({ ids, limit }),
        )
      : await client.v2(
          (sdk) => sdk.DealsApi,
          (api) => api.getDeals({ ids, limit }),
        );
  const rows = z
    .object({ data: z.array(z.object({ id: z.number(), is_deleted: z.boolean().nullish() })).nullish() })
    .parse(answer).data;
  return new Set((rows ?? []).filter((row) => !row.is_deleted).map(({ id }) => String(id)));
}

const mostOfOrganization = 200;

/** Its persons and deals, as far as this user may see them. */
export async function recordsOfOrganization(
  client: PipedriveClient,
  id: string,
): Promise<{ type: 'person' | 'deal'; recordId: string }[]> {
  const wanted = { org_id: Number(id), limit: mostOfOrganization };
  if (!Number.isSafeInteger(wanted.org_id) || wanted.org_id <= 0) return [];
  const idsIn = (answer: unknown): number[] =>
    (z.object({ data: z.array(z.object({ id: z.number() })).nullish() }).parse(answer).data ?? []).map((row) => row.id);
  const persons = await client.v2(
    (sdk) => sdk.PersonsApi,
    (api) => api.getPersons(wanted),
  );
  const deals = await client.v2(
    (sdk) => sdk.DealsApi,
    (api) => api.getDeals(wanted),
  );
  return [
    ...idsIn(persons).map((recordId) => ({ type: 'person' as const, recordId: String(recordId) })),
    ...idsIn(deals).map((recordId) => ({ type: 'deal' as const, recordId: String(recordId) })),
  ];
}

/** The deal that a lead was converted to: Pipedrive tells of it only on the deal. `since` bounds the search. */
export async function dealOfLead(client: PipedriveClient, leadId: string, since: string): Promise<string | undefined> {
  const answer = await client.v2(
    (sdk) => sdk.DealsApi,
    (api) =>
      api.getDeals({
        updated_since: since.replace(/\.\d+Z$/, 'Z'),
        sort_by: 'update_time',
        sort_direction: 'desc',
        include_fields: 'source_lead_id',
        limit: 200,
      }),
  );
  const rows = z
    .object({ data: z.array(z.object({ id: z.number(), source_lead_id: z.string().nullish() })).nullish() })
    .parse(answer).data;
  const found = rows?.find((deal) => deal.source_lead_id === leadId);
  return found && String(found.id);
}

function primary(values: z.infer<typeof contactValue>): string | null {
  const found = values?.find((value) => value.primary && value.value) ?? values?.find((value) => value.value);
  return found?.value ?? null;
}

/** Deals of a person that are still open, newest first. */
export async function openDealsOf(client: PipedriveClient, personId: string): Promise<OpenDeal[]> {
  const answer = await client.v2(
    (sdk) => sdk.DealsApi,
    (api) => api.getDeals({ person_id: Number(personId), status: 'open', limit: 10 }),
  );
  const deals = z.object({ data: z.array(dealShape).nullish() }).parse(answer).data ?? [];
  const pipelines = deals.length > 0 ? await listPipelines(client) : [];
  const stages = new Map(pipelines.flatMap(({ stages: all }) => all.map((stage) => [stage.id, stage.name] as const)));
  return deals.map((deal) => ({
    recordId: String(deal.id),
    title: deal.title,
    stage: stages.get(String(deal.stage_id)) ?? null,
    value: deal.value ?? null,
    currency: deal.currency ?? null,
  }));
}

export interface NewPerson {
  readonly name: string;
  readonly phone?: string | undefined;
  readonly email?: string | undefined;
  readonly ownerId?: string | undefined;
}

export interface NewRecord {
  readonly title: string;
  readonly personId: string | null;
  readonly ownerId?: string | undefined;
  readonly pipelineId?: string | undefined;
  readonly stageId?: string | undefined;
  readonly value?: { readonly amount: number; readonly currency: string } | undefined;
}

export interface CreatedRecord {
  readonly recordId: string;
  readonly title: string;
}

/** Phone and e-mail stand under the fields' plural names; the label is a free word. */
export async function createPerson(
  client: PipedriveClient,
  person: NewPerson,
  phoneLabel: string,
): Promise<CreatedRecord> {
  const answer = await client.v2(
    (sdk) => sdk.PersonsApi,
    (api) =>
      api.addPerson({
        AddPersonRequest: {
          name: person.name,
          ...(person.ownerId ? { owner_id: Number(person.ownerId) } : {}),
          ...(person.phone ? { phones: [{ value: person.phone, primary: true, label: phoneLabel }] } : {}),
          ...(person.email ? { emails: [{ value: person.email, primary: true, label: 'work' }] } : {}),
        },
      }),
  );
  const created = z.object({ data: personShape }).parse(answer).data;
  return { recordId: String(created.id), title: created.name };
}

export async function createDeal(client: PipedriveClient, deal: NewRecord): Promise<CreatedRecord> {
  const answer = await client.v2(
    (sdk) => sdk.DealsApi,
    (api) =>
      api.addDeal({
        AddDealRequest: {
          title: deal.title,
          ...(deal.personId ? { person_id: Number(deal.personId) } : {}),
          ...(deal.ownerId ? { owner_id: Number(deal.ownerId) } : {}),
          ...(deal.pipelineId ? { pipeline_id: Number(deal.pipelineId) } : {}),
          ...(deal.stageId ? { stage_id: Number(deal.stageId) } : {}),
          ...(deal.value ? { value: deal.value.amount, currency: deal.value.currency } : {}),
        },
      }),
  );
  const created = z.object({ data: dealShape }).parse(answer).data;
  return { recordId: String(created.id), title: created.title };
}

/** A lead must have a person or an organization. */
export async function createLead(client: PipedriveClient, lead: NewRecord): Promise<CreatedRecord> {
  const answer = await client.v1(
    (sdk) => sdk.LeadsApi,
    (api) =>
      api.addLead({
        AddLeadRequest: {
          title: lead.title,
          person_id: Number(lead.personId),
          ...(lead.ownerId ? { owner_id: Number(lead.ownerId) } : {}),
          ...(lead.value ? { value: lead.value } : {}),
        },
      }),
  );
  const created = z.object({ data: leadShape }).parse(answer).data;
  return { recordId: created.id, title: created.title };
}

/** A record that was created since a time with this title, by the looks of it: settles a creation whose answer was lost (L4). */
export async function findCreated(
  client: PipedriveClient,
  type: RecordType,
  wanted: { title: string; personId: string | null; since: string },
): Promise<CreatedRecord | undefined> {
  // Pipedrive's clock and ours may differ by some seconds; its times have no fractions.
  const since = new Date(Date.parse(wanted.since) - 60_000).toISOString().replace(/\.\d+Z$/, 'Z');
  const fresh = (time: string | null | undefined): boolean =>
    time === null || time === undefined || normal(time) >= since;
  if (type === 'person') {
    const answer = await client.v2(
      (sdk) => sdk.PersonsApi,
      (api) => api.getPersons({ updated_since: since, limit: 100 }),
    );
    const rows = z.object({ data: z.array(personShape).nullish() }).parse(answer).data ?? [];
    const row = rows.find((person) => person.name === wanted.title && fresh(person.add_time));
    return row && { recordId: String(row.id), title: row.name };
  }
  if (type === 'deal') {
    const person = wanted.personId ? { person_id: Number(wanted.personId) } : {};
    const answer = await client.v2(
      (sdk) => sdk.DealsApi,
      (api) => api.getDeals({ ...person, updated_since: since, limit: 100 }),
    );
    const rows = z.object({ data: z.array(dealShape).nullish() }).parse(answer).data ?? [];
    const row = rows.find((deal) => deal.title === wanted.title && fresh(deal.add_time));
    return row && { recordId: String(row.id), title: row.title };
  }
  const answer = await client.v1(
    (sdk) => sdk.LeadsApi,
    (api) => api.getLeads({ person_id: Number(wanted.personId), limit: 100 }),
  );
  const rows = z.object({ data: z.array(leadShape).nullish() }).parse(answer).data ?? [];
  const row = rows.find((lead) => lead.title === wanted.title && fresh(lead.add_time));
  return row && { recordId: row.id, title: row.title };
}

function normal(time: string): string {
  return new Date(/Z|[+-]\d\d:\d\d$/.test(time) ? time : `${time.replace(' ', 'T')}Z`).toISOString();
}

const keepMs = 5 * 60_000;
interface Kept<T> {
  readonly value: Promise<T>;
  readonly until: number;
}

/** What changes rarely and is read often, for some minutes per company. */
function kept<T>(read: (client: PipedriveClient) => Promise<T>): (client: PipedriveClient) => Promise<T> {
  const caches = new WeakMap<object, Map<string, Kept<T>>>();
  return (client) => {
    const cache = caches.get(client.scope) ?? new Map<string, Kept<T>>();
    caches.set(client.scope, cache);
    const key = client.grant.companyId;
    const now = performance.now();
    const known = cache.get(key);
    if (known && known.until > now) return known.value;
    if (cache.size > 500) cache.clear();
    const value = read(client);
    cache.set(key, { value, until: now + keepMs });
    value.catch(() => cache.delete(key));
    return value;
  };
}

export const listPipelines = kept(async (client): Promise<PipelineWithStages[]> => {
  const pipelines = z
    .object({ data: z.array(z.object({ id: z.number(), name: z.string(), order_nr: z.number().nullish() })).nullish() })
    .parse(
      await client.v2(
        (sdk) => sdk.PipelinesApi,
        (api) => api.getPipelines({ limit: 100 }),
      ),
    ).data;
  const stages = z
    .object({
      data: z
        .array(z.object({ id: z.number(), name: z.string(), pipeline_id: z.number(), order_nr: z.number().nullish() }))
        .nullish(),
    })
    .parse(
      await client.v2(
        (sdk) => sdk.StagesApi,
        (api) => api.getStages({ limit: 500 }),
      ),
    ).data;
  const byOrder = (
    left: { order_nr?: number | null | undefined },
    right: { order_nr?: number | null | undefined },
  ): number => (left.order_nr ?? 0) - (right.order_nr ?? 0);
  return (pipelines ?? []).sort(byOrder).map((pipeline) => ({
    id: String(pipeline.id),
    name: pipeline.name,
    stages: (stages ?? [])
      .filter((stage) => stage.pipeline_id === pipeline.id)
      .sort(byOrder)
      .map((stage) => ({ id: String(stage.id), name: stage.name })),
  }));
});

const listUserNames = kept(async (client): Promise<Map<number, string>> => {
  const answer = await client.v1(
    (sdk) => sdk.UsersApi,
    (api) => api.getUsers(),
  );
  const users = z.object({ data: z.array(z.object({ id: z.number(), name: z.string() })) }).parse(answer).data;
  return new Map(users.map(({ id, name }) => [id, name]));
});

/** Names are an ornament: a missing right to read them must not hinder linking. */
async function ownerName(client: PipedriveClient, ownerId: number | null | undefined): Promise<string | null> {
  if (!ownerId) return null;
  const names = await listUserNames(client).catch(() => new Map<number, string>());
  return names.get(ownerId) ?? null;
}

async function organizationName(client: PipedriveClient, id: number | null | undefined): Promise<string | null> {
  if (!id) return null;
  const answer = await client
    .v2(
      (sdk) => sdk.OrganizationsApi,
      (api) => api.getOrganization({ id }),
    )
    .catch(() => undefined);
  return z.object({ data: z.object({ name: z.string() }) }).safeParse(answer).data?.data.name ?? null;
}

/** Where a person sees the record in Pipedrive (deep links, dossier section 5). */
export function recordUrl(domain: string, type: RecordType, recordId: string): string {
  const paths = { person: 'person', deal: 'deal', lead: 'leads/inbox' } as const;
  return `https://${domain}.pipedrive.com/${paths[type]}/${encodeURIComponent(recordId)}`;
}
