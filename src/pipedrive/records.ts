// Persons, leads and deals as they are now, read with few calls (v2; leads v1).
import { z } from 'zod';
import { UpstreamError } from '../base/errors.ts';
import type { PipedriveClient } from './client.ts';
import { listPipelines, organizationName, ownerName } from './names.ts';

export type RecordType = 'person' | 'lead' | 'deal';

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

export interface OpenDeal {
  readonly recordId: string;
  readonly title: string;
  readonly stage: string | null;
  readonly value: number | null;
  readonly currency: string | null;
}

export const dealShape = z.object({
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
export const personShape = z.object({
  id: z.number(),
  name: z.string(),
  owner_id: z.number().nullish(),
  org_id: z.number().nullish(),
  phones: contactValue,
  emails: contactValue,
  add_time: z.string().nullish(),
  is_deleted: z.boolean().nullish(),
});
export const leadShape = z.object({
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

/** Where a person sees the record in Pipedrive (deep links). */
export function recordUrl(domain: string, type: RecordType, recordId: string): string {
  const paths = { person: 'person', deal: 'deal', lead: 'leads/inbox' } as const;
  return `https://${domain}.pipedrive.com/${paths[type]}/${encodeURIComponent(recordId)}`;
}
