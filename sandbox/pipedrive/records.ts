// Persons, organizations, deals, pipelines (v2), leads and users (v1), and the searches.
import { convertLead, deleteRecord } from './fates.ts';
import { cursorPage, ok, Refusal, type ApiCall, type Endpoint, type FieldKind } from './api.ts';
import {
  newId,
  newLeadId,
  timeV2,
  type Deal,
  type Lead,
  type Organization,
  type Person,
  type State,
  type User,
} from './state.ts';

const contacts = ['contacts:full', 'contacts:read'];
const deals = ['deals:full', 'deals:read'];
const leads = ['leads:full', 'leads:read'];
const searching = ['search:read'];
const listQuery: Readonly<Record<string, FieldKind>> = {
  limit: 'integer',
  cursor: 'string',
  ids: 'string',
  owner_id: 'integer',
  person_id: 'integer',
  org_id: 'integer',
  deal_id: 'integer',
  filter_id: 'integer',
  pipeline_id: 'integer',
  stage_id: 'integer',
  status: 'string',
  updated_since: 'string',
  updated_until: 'string',
  sort_by: 'string',
  sort_direction: 'string',
  include_fields: 'string',
  custom_fields: 'string',
};
const searchQuery: Readonly<Record<string, FieldKind>> = {
  term: 'string',
  fields: 'string',
  exact_match: 'boolean',
  person_id: 'integer',
  organization_id: 'integer',
  status: 'string',
  include_fields: 'string',
  limit: 'integer',
  cursor: 'string',
};
const personBody: Readonly<Record<string, FieldKind>> = {
  name: 'string',
  owner_id: 'integer',
  org_id: 'integer',
  phones: 'array',
  emails: 'array',
  visible_to: 'integer',
  label_ids: 'array',
  custom_fields: 'object',
  add_time: 'string',
};
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

export function recordEndpoints(state: State): Endpoint[] {
  return [...userEndpoints(state), ...personEndpoints(state), ...dealEndpoints(state), ...leadEndpoints(state)];
}

function userEndpoints(state: State): Endpoint[] {
  return [
    {
      method: 'GET',
      path: '/api/v1/users/me',
      cost: 2,
      scopes: ['base'],
      run: ({ grant }) => ok(meShape(state, userOf(state, grant.userId))),
    },
    {
      method: 'GET',
      path: '/api/v1/users',
      cost: 20,
      scopes: ['users:read'],
      run: ({ grant }) => ok(state.users.filter((user) => user.companyId === grant.companyId).map(userShape)),
    },
    {
      method: 'GET',
      path: '/api/v1/users/:id',
      cost: 2,
      scopes: ['users:read'],
      run: ({ grant, params }) => {
        const user = state.users.find((found) => found.companyId === grant.companyId && String(found.id) === params.id);
        if (!user) throw new Refusal(404, 'User not found or not accessible.');
        return ok(userShape(user));
      },
    },
  ];
}

function userOf(state: State, id: number): User {
  return state.users.find((user) => user.id === id)!;
}

function userShape(user: User): object {
  return {
    id: user.id,
    name: user.name,
    email: user.email,
    lang: 1,
    locale: 'en_US',
    default_currency: user.currency,
    active_flag: true,
    activated: true,
    is_deleted: false,
    timezone_name: user.timeZone,
    timezone_offset: '+01:00',
    icon_url: null,
    is_you: false,
    access: [
      { app: 'sales', admin: user.admin, permission_set_id: 'a' },
      { app: 'global', admin: user.admin, permission_set_id: 'b' },
      ...(user.admin ? [{ app: 'account_settings', admin: true, permission_set_id: 'c' }] : []),
    ],
  };
}

function meShape(state: State, user: User): object {
  const company = state.companies.find((found) => found.id === user.companyId)!;
  return {
    ...userShape(user),
    is_you: true,
    company_id: company.id,
    company_name: company.name,
    company_domain: company.domain,
    company_country: 'SE',
    company_industry: null,
    language: { language_code: user.language, country_code: user.language === 'sv' ? 'SE' : 'US' },
  };
}

function own<T extends { companyId: number; is_deleted: boolean }>(rows: readonly T[], { grant }: ApiCall): T[] {
  return rows.filter((row) => row.companyId === grant.companyId && !row.is_deleted);
}

function one<T extends { id: number | string; companyId: number; is_deleted: boolean }>(
  rows: readonly T[],
  call: ApiCall,
  what: string,
): T {
  const row = own(rows, call).find((found) => String(found.id) === call.params.id);
  if (!row) throw new Refusal(404, `${what} not found`);
  return row;
}

function personEndpoints(state: State): Endpoint[] {
  const write = (call: ApiCall, person: Person): Person => {
    const { name, owner_id: owner, org_id: org, phones, emails } = call.body as Partial<Person>;
    if (name !== undefined && name.trim() === '') throw new Refusal(400, 'name cannot be empty');
    if (owner !== undefined) requireUser(state, call, owner);
    if (org !== undefined && org !== null) requireOwn(state.organizations, call, org, 'Organization');
    Object.assign(person, {
      ...(name === undefined ? {} : { name }),
      ...(owner === undefined ? {} : { owner_id: owner }),
      ...(org === undefined ? {} : { org_id: org }),
      ...(phones === undefined ? {} : { phones: contactValues(phones) }),
      ...(emails === undefined ? {} : { emails: contactValues(emails) }),
      update_time: timeV2(state),
    });
    return person;
  };
  return [
    {
      method: 'POST',
      path: '/api/v2/persons',
      cost: 5,
      scopes: ['contacts:full'],
      body: personBody,
      required: ['name'],
      run: (call) => {
        const person = write(call, {
          id: newId(state),
          companyId: call.grant.companyId,
          name: '',
          owner_id: call.grant.userId,
          org_id: null,
          phones: [],
          emails: [],
          is_deleted: false,
          add_time: timeV2(state),
          update_time: timeV2(state),
        });
        state.persons.push(person);
        return ok(personShape(person));
      },
    },
    {
      method: 'GET',
      path: '/api/v2/persons/search',
      cost: 20,
      scopes: [...contacts, ...searching],
      search: true,
      query: searchQuery,
      run: (call) => {
        const fields = (call.query.fields ?? 'name,phone,email').split(',');
        const matches = own(state.persons, call).filter((person) => {
          const values = [
            ...(fields.includes('name') ? [person.name] : []),
            ...(fields.includes('phone') ? person.phones.map(({ value }) => value) : []),
            ...(fields.includes('email') ? person.emails.map(({ value }) => value) : []),
          ];
          return matchesTerm(call, values);
        });
        return searchPage(call, matches, (person) => ({
          id: person.id,
          type: 'person',
          name: person.name,
          phones: person.phones.map(({ value }) => value),
          emails: person.emails.map(({ value }) => value),
          visible_to: 3,
          owner: { id: person.owner_id },
          organization: orgRef(state, person.org_id),
          custom_fields: [],
          notes: [],
        }));
      },
    },
    {
      method: 'GET',
      path: '/api/v2/persons',
      cost: 10,
      scopes: contacts,
      query: listQuery,
      run: (call) => cursorPage(listed(own(state.persons, call), call), call.query, personShape),
    },
    {
      method: 'GET',
      path: '/api/v2/persons/:id',
      cost: 1,
      scopes: contacts,
      query: { include_fields: 'string', custom_fields: 'string' },
      run: (call) => ok(personShape(one(state.persons, call, 'Person'))),
    },
    {
      method: 'PATCH',
      path: '/api/v2/persons/:id',
      cost: 5,
      scopes: ['contacts:full'],
      body: personBody,
      run: (call) => ok(personShape(write(call, one(state.persons, call, 'Person')))),
    },
    {
      method: 'DELETE',
      path: '/api/v2/persons/:id',
      cost: 3,
      scopes: ['contacts:full'],
      run: (call) => {
        const person = one(state.persons, call, 'Person');
        deleteRecord(state, 'person', person);
        return ok({ id: person.id });
      },
    },
    {
      method: 'POST',
      path: '/api/v2/organizations',
      cost: 5,
      scopes: ['contacts:full'],
      body: { name: 'string', owner_id: 'integer' },
      required: ['name'],
      run: (call) => {
        const organization: Organization = {
          id: newId(state),
          companyId: call.grant.companyId,
          name: String(call.body.name),
          owner_id: call.grant.userId,
          is_deleted: false,
          add_time: timeV2(state),
          update_time: timeV2(state),
        };
        state.organizations.push(organization);
        return ok(withoutCompany(organization));
      },
    },
    {
      method: 'GET',
      path: '/api/v2/organizations/:id',
      cost: 1,
      scopes: contacts,
      run: (call) => ok(withoutCompany(one(state.organizations, call, 'Organization'))),
    },
  ];
}

function contactValues(values: unknown): Person['phones'] {
  return (values as Record<string, unknown>[]).map((entry, index) => {
    if (typeof entry.value !== 'string') throw new Refusal(400, 'value must be a string');
    const unknown = Object.keys(entry).find((name) => !['value', 'primary', 'label'].includes(name));
    if (unknown) throw new Refusal(400, `'${unknown}' is not allowed`);
    return {
      value: entry.value,
      primary: entry.primary === true || index === 0,
      label: typeof entry.label === 'string' ? entry.label : 'work',
    };
  });
}

function requireUser(state: State, call: ApiCall, id: number): void {
  if (!state.users.some((user) => user.id === id && user.companyId === call.grant.companyId))
    throw new Refusal(400, 'owner_id is invalid');
}

function requireOwn(
  rows: readonly { id: number; companyId: number; is_deleted: boolean }[],
  call: ApiCall,
  id: number,
  what: string,
): void {
  if (!own(rows, call).some((row) => row.id === id)) throw new Refusal(400, `${what} with id ${id} does not exist`);
}

function withoutCompany<T extends { companyId: number }>({ companyId: _, ...rest }: T): Omit<T, 'companyId'> {
  return rest;
}

function personShape(person: Person): object {
  const [first = '', ...rest] = person.name.split(' ');
  return {
    ...withoutCompany(person),
    first_name: first,
    last_name: rest.join(' ') || null,
    visible_to: 3,
    label_ids: [],
    picture_id: null,
    custom_fields: {},
  };
}

function orgRef(state: State, id: number | null): object | null {
  const found = state.organizations.find((organization) => organization.id === id);
  return found ? { id: found.id, name: found.name, address: null } : null;
}

function listed<T extends { id: number; update_time: string }>(rows: T[], { query }: ApiCall): T[] {
  const ids = query.ids?.split(',');
  return rows.filter((row) => {
    const facts = row as unknown as Record<string, unknown>;
    const wanted = ['owner_id', 'person_id', 'org_id', 'pipeline_id', 'stage_id', 'status'] as const;
    if (wanted.some((name) => query[name] !== undefined && String(facts[name]) !== query[name])) return false;
    if (ids && !ids.includes(String(row.id))) return false;
    return query.updated_since === undefined || row.update_time >= query.updated_since;
  });
}

function matchesTerm({ query }: ApiCall, values: readonly string[]): boolean {
  const term = query.term ?? '';
  const exact = query.exact_match === 'true' || query.exact_match === '1';
  if (term.length < (exact ? 1 : 2)) throw new Refusal(400, 'term must be at least 2 characters long');
  const wanted = term.toLowerCase();
  return values.some((value) => (exact ? value.toLowerCase() === wanted : value.toLowerCase().includes(wanted)));
}

function searchPage<T>(call: ApiCall, rows: readonly T[], shape: (row: T) => unknown): { body: unknown } {
  const limit = Math.min(Number(call.query.limit ?? 100), 100);
  return ok(
    { items: rows.slice(0, limit).map((row) => ({ result_score: 0.5, item: shape(row) })) },
    { next_cursor: null },
  );
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

function dealEndpoints(state: State): Endpoint[] {
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

function personRef(state: State, id: number | null): object | null {
  const found = state.persons.find((person) => person.id === id);
  return found ? { id: found.id, name: found.name } : null;
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

function leadEndpoints(state: State): Endpoint[] {
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
