// Persons and organizations (v2).
import { cursorPage, ok, Refusal, type ApiCall, type Endpoint, type FieldKind } from './api.ts';
import { deleteRecord } from './fates.ts';
import {
  listed,
  listQuery,
  matchesTerm,
  one,
  orgRef,
  own,
  requireOwn,
  requireUser,
  searching,
  searchPage,
  searchQuery,
  withoutCompany,
} from './record-calls.ts';
import { newId, timeV2, type Organization, type Person, type State } from './state.ts';

const contacts = ['contacts:full', 'contacts:read'];
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

export function personEndpoints(state: State): Endpoint[] {
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
