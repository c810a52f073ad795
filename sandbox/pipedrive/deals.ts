// Deals, pipelines and stages (v2).
import { cursorPage, ok, Refusal, type Endpoint, type FieldKind } from './api.ts';
import { deleteRecord } from './fates.ts';
import {
  listed,
  listQuery,
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
  withoutCompany,
} from './record-calls.ts';
import { newId, timeV2, type Deal, type State } from './state.ts';

const deals = ['deals:full', 'deals:read'];
const dealBody: Readonly<Record<string, FieldKind>> = {
  title: 'string',
  owner_id: 'integer',
  person_id: 'integer',
  org_id: 'integer',
  pipeline_id: 'integer',
  stage_id: 'integer',
  value: 'number',
  currency: 'string',
  status: 'string',
  visible_to: 'integer',
  label_ids: 'array',
  custom_fields: 'object',
  expected_close_date: 'string',
};

export function dealEndpoints(state: State): Endpoint[] {
  return [
    {
      method: 'POST',
      path: '/api/v2/deals',
      cost: 5,
      scopes: ['deals:full'],
      body: dealBody,
      required: ['title'],
      run: (call) => {
        const body = call.body as Partial<Deal>;
        if (body.title!.trim() === '') throw new Refusal(400, 'title cannot be empty');
        if (body.owner_id !== undefined) requireUser(state, call, body.owner_id);
        if (body.person_id !== undefined && body.person_id !== null)
          requireOwn(state.persons, call, body.person_id, 'Person');
        const stage = state.stages.find((found) => found.id === (body.stage_id ?? 1));
        if (!stage || (body.pipeline_id !== undefined && stage.pipeline_id !== body.pipeline_id))
          throw new Refusal(400, 'stage_id is invalid');
        const deal: Deal = {
          id: newId(state),
          companyId: call.grant.companyId,
          title: body.title!,
          owner_id: body.owner_id ?? call.grant.userId,
          person_id: body.person_id ?? null,
          org_id: body.org_id ?? null,
          pipeline_id: stage.pipeline_id,
          stage_id: stage.id,
          value: body.value ?? 0,
          currency: body.currency ?? 'SEK',
          status: 'open',
          is_deleted: false,
          source_lead_id: null,
          add_time: timeV2(state),
          update_time: timeV2(state),
        };
        state.deals.push(deal);
        return ok(dealShape(deal));
      },
    },
    {
      method: 'GET',
      path: '/api/v2/deals/search',
      cost: 20,
      scopes: [...deals, ...searching],
      search: true,
      query: searchQuery,
      run: (call) =>
        searchPage(
          call,
          own(state.deals, call).filter((deal) => matchesTerm(call, [deal.title])),
          (deal) => ({
            id: deal.id,
            type: 'deal',
            title: deal.title,
            value: deal.value,
            currency: deal.currency,
            status: deal.status,
            visible_to: 3,
            owner: { id: deal.owner_id },
            stage: { id: deal.stage_id, name: state.stages.find(({ id }) => id === deal.stage_id)?.name },
            person: personRef(state, deal.person_id),
            organization: orgRef(state, deal.org_id),
            custom_fields: [],
            notes: [],
            is_archived: false,
          }),
        ),
    },
    {
      method: 'GET',
      path: '/api/v2/deals',
      cost: 10,
      scopes: deals,
      query: listQuery,
      run: (call) =>
        cursorPage(listed(own(state.deals, call), call), call.query, (deal) =>
          dealShape(deal, call.query.include_fields),
        ),
    },
    {
      method: 'GET',
      path: '/api/v2/deals/:id',
      cost: 1,
      scopes: deals,
      query: { include_fields: 'string', custom_fields: 'string' },
      run: (call) => ok(dealShape(one(state.deals, call, 'Deal'))),
    },
    {
      method: 'PATCH',
      path: '/api/v2/deals/:id',
      cost: 5,
      scopes: ['deals:full'],
      body: dealBody,
      run: (call) =>
        ok(dealShape(Object.assign(one(state.deals, call, 'Deal'), call.body, { update_time: timeV2(state) }))),
    },
    {
      method: 'DELETE',
      path: '/api/v2/deals/:id',
      cost: 3,
      scopes: ['deals:full'],
      run: (call) => {
        const deal = one(state.deals, call, 'Deal');
        deleteRecord(state, 'deal', deal);
        return ok({ id: deal.id });
      },
    },
    {
      method: 'GET',
      path: '/api/v2/pipelines',
      cost: 5,
      scopes: deals,
      query: { limit: 'integer', cursor: 'string', sort_by: 'string', sort_direction: 'string' },
      run: ({ query }) => cursorPage(state.pipelines, query, (row) => row),
    },
    {
      method: 'GET',
      path: '/api/v2/stages',
      cost: 5,
      scopes: deals,
      query: {
        limit: 'integer',
        cursor: 'string',
        pipeline_id: 'integer',
        sort_by: 'string',
        sort_direction: 'string',
      },
      run: ({ query }) => cursorPage(state.stages, query, (row) => row),
    },
  ];
}

function dealShape(deal: Deal, included = ''): object {
  const { source_lead_id: source, ...rest } = withoutCompany(deal);
  return {
    ...rest,
    ...(included.split(',').includes('source_lead_id') ? { source_lead_id: source } : {}),
    creator_user_id: deal.owner_id,
    is_archived: false,
    label_ids: [],
    origin: 'API',
    custom_fields: {},
    visible_to: 3,
  };
}
