// Persons, deals (v2) and leads (v1) are created; one whose creation got no answer is looked for (L4).
import { z } from 'zod';
import type { PipedriveClient } from './client.ts';
import { dealShape, leadShape, personShape, type RecordType } from './records.ts';

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
