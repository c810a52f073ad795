// Users (v1): who calls, and his colleagues.
import { ok, Refusal, type Endpoint } from './api.ts';
import type { State, User } from './state.ts';

export function userEndpoints(state: State): Endpoint[] {
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
