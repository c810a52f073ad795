// Leads (v1; their search and conversion v2).
import { ok, Refusal, type Endpoint, type FieldKind } from './api.ts';
import { convertLead, deleteRecord } from './fates.ts';
import {
  matchesTerm,
  one,
  orgRef,
  own,
  personRef,
  requireOwn,
  requireUser,
  searching,
  searchPage,
  searchQuery,
} from './record-calls.ts';
import { newLeadId, timeV2, type Lead, type State } from './state.ts';

const leads = ['leads:full', 'leads:read'];
const leadBody: Readonly<Record<string, FieldKind>> = {
  title: 'string',
  owner_id: 'integer',
  person_id: 'integer',
  organization_id: 'integer',
  value: 'object',
  label_ids: 'array',
  expected_close_date: 'string',
  visible_to: 'string',
  was_seen: 'boolean',
  is_archived: 'boolean',
  origin_id: 'string',
  channel: 'integer',
  channel_id: 'string',
};

export function leadEndpoints(state: State): Endpoint[] {
  return [
    {
      method: 'POST',
      path: '/api/v1/leads',
      cost: 10,
      scopes: ['leads:full'],
      body: leadBody,
      required: ['title'],
      run: (call) => {
        const body = call.body as Partial<Lead>;
        if (!body.person_id && !body.organization_id)
          throw new Refusal(400, 'A lead must be linked to a person or an organization.');
        if (body.person_id) requireOwn(state.persons, call, body.person_id, 'Person');
        if (body.owner_id !== undefined) requireUser(state, call, body.owner_id);
        const lead: Lead = {
          id: newLeadId(),
          companyId: call.grant.companyId,
          title: body.title!,
          owner_id: body.owner_id ?? call.grant.userId,
          creator_id: call.grant.userId,
          person_id: body.person_id ?? null,
          organization_id: body.organization_id ?? null,
          value: body.value ?? null,
          is_archived: false,
          is_deleted: false,
          add_time: timeV2(state),
          update_time: timeV2(state),
        };
        state.leads.push(lead);
        return { status: 201, body: { success: true, data: leadShape(lead) } };
      },
    },
    {
      method: 'GET',
      path: '/api/v1/leads',
      cost: 20,
      scopes: leads,
      query: {
        limit: 'integer',
        start: 'integer',
        owner_id: 'integer',
        person_id: 'integer',
        organization_id: 'integer',
        filter_id: 'integer',
        updated_since: 'string',
        sort: 'string',
      },
      run: (call) => {
        const rows = own(state.leads, call).filter(
          (lead) => !lead.is_archived && (!call.query.person_id || String(lead.person_id) === call.query.person_id),
        );
        const start = Number(call.query.start ?? 0);
        const limit = Number(call.query.limit ?? 100);
        const pagination = {
          start,
          limit,
          more_items_in_collection: start + limit < rows.length,
          next_start: start + limit,
        };
        return ok(rows.slice(start, start + limit).map(leadShape), { pagination });
      },
    },
    {
      method: 'GET',
      path: '/api/v2/leads/search',
      cost: 20,
      scopes: [...leads, ...searching],
      search: true,
      query: searchQuery,
      run: (call) =>
        searchPage(
          call,
          own(state.leads, call).filter((lead) => matchesTerm(call, [lead.title])),
          (lead) => ({
            id: lead.id,
            type: 'lead',
            title: lead.title,
            owner: { id: lead.owner_id },
            person: personRef(state, lead.person_id),
            organization: orgRef(state, lead.organization_id),
            phones: [],
            emails: [],
            custom_fields: [],
            notes: [],
            value: lead.value?.amount ?? null,
            currency: lead.value?.currency ?? null,
            visible_to: 3,
            is_archived: lead.is_archived,
          }),
        ),
    },
    {
      method: 'GET',
      path: '/api/v1/leads/:id',
      cost: 2,
      scopes: leads,
      run: (call) => ok(leadShape(one(state.leads, call, 'requested lead'))),
    },
    {
      method: 'PATCH',
      path: '/api/v1/leads/:id',
      cost: 10,
      scopes: ['leads:full'],
      body: leadBody,
      run: (call) =>
        ok(
          leadShape(Object.assign(one(state.leads, call, 'requested lead'), call.body, { update_time: timeV2(state) })),
        ),
    },
    {
      method: 'POST',
      path: '/api/v2/leads/:id/convert/deal',
      cost: 40,
      scopes: ['leads:full'],
      body: { stage_id: 'integer', pipeline_id: 'integer' },
      run: (call) =>
        ok({ conversion_id: `conversion-${convertLead(state, one(state.leads, call, 'requested lead')).id}` }),
    },
    {
      method: 'DELETE',
      path: '/api/v1/leads/:id',
      cost: 6,
      scopes: ['leads:full'],
      run: (call) => {
        const lead = one(state.leads, call, 'requested lead');
        deleteRecord(state, 'lead', lead);
        return ok({ id: lead.id });
      },
    },
  ];
}
function leadShape(lead: Lead): object {
  const { companyId: _, is_deleted: __, ...rest } = lead;
  return {
    ...rest,
    label_ids: [],
    source_name: 'API',
    origin: 'API',
    was_seen: false,
    expected_close_date: null,
    next_activity_id: null,
    visible_to: '3',
    add_time: new Date(lead.add_time).toISOString(),
    update_time: new Date(lead.update_time).toISOString(),
  };
}
