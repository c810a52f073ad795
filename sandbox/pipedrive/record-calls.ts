// What all calls about records share: what they may ask, whose rows they see, lists and searches.
import { ok, Refusal, type ApiCall, type FieldKind } from './api.ts';
import type { State } from './state.ts';

export const searching = ['search:read'];
export const listQuery: Readonly<Record<string, FieldKind>> = {
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
export const searchQuery: Readonly<Record<string, FieldKind>> = {
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

export function own<T extends { companyId: number; is_deleted: boolean }>(rows: readonly T[], { grant }: ApiCall): T[] {
  return rows.filter((row) => row.companyId === grant.companyId && !row.is_deleted);
}

export function one<T extends { id: number | string; companyId: number; is_deleted: boolean }>(
  rows: readonly T[],
  call: ApiCall,
  what: string,
): T {
  const row = own(rows, call).find((found) => String(found.id) === call.params.id);
  if (!row) throw new Refusal(404, `${what} not found`);
  return row;
}

export function requireUser(state: State, call: ApiCall, id: number): void {
  if (!state.users.some((user) => user.id === id && user.companyId === call.grant.companyId))
    throw new Refusal(400, 'owner_id is invalid');
}

export function requireOwn(
  rows: readonly { id: number; companyId: number; is_deleted: boolean }[],
  call: ApiCall,
  id: number,
  what: string,
): void {
  if (!own(rows, call).some((row) => row.id === id)) throw new Refusal(400, `${what} with id ${id} does not exist`);
}

export function withoutCompany<T extends { companyId: number }>({ companyId: _, ...rest }: T): Omit<T, 'companyId'> {
  return rest;
}

export function orgRef(state: State, id: number | null): object | null {
  const found = state.organizations.find((organization) => organization.id === id);
  return found ? { id: found.id, name: found.name, address: null } : null;
}

export function personRef(state: State, id: number | null): object | null {
  const found = state.persons.find((person) => person.id === id);
  return found ? { id: found.id, name: found.name } : null;
}

export function listed<T extends { id: number; update_time: string }>(rows: T[], { query }: ApiCall): T[] {
  const ids = query.ids?.split(',');
  return rows.filter((row) => {
    const facts = row as unknown as Record<string, unknown>;
    const wanted = ['owner_id', 'person_id', 'org_id', 'pipeline_id', 'stage_id', 'status'] as const;
    if (wanted.some((name) => query[name] !== undefined && String(facts[name]) !== query[name])) return false;
    if (ids && !ids.includes(String(row.id))) return false;
    return query.updated_since === undefined || row.update_time >= query.updated_since;
  });
}

export function matchesTerm({ query }: ApiCall, values: readonly string[]): boolean {
  const term = query.term ?? '';
  const exact = query.exact_match === 'true' || query.exact_match === '1';
  if (term.length < (exact ? 1 : 2)) throw new Refusal(400, 'term must be at least 2 characters long');
  const wanted = term.toLowerCase();
  return values.some((value) => (exact ? value.toLowerCase() === wanted : value.toLowerCase().includes(wanted)));
}

export function searchPage<T>(call: ApiCall, rows: readonly T[], shape: (row: T) => unknown): { body: unknown } {
  const limit = Math.min(Number(call.query.limit ?? 100), 100);
  return ok(
    { items: rows.slice(0, limit).map((row) => ({ result_score: 0.5, item: shape(row) })) },
    { next_cursor: null },
  );
}
