// What all API calls share: who calls, what it costs, how often he may, and how a refusal looks (sections 3.8 and 5 of the dossier).
import type { Context, Next } from 'koa';
import { BodyTooLarge, contentType, readBody } from '../listen.ts';
import type { Grant, PipedriveCall, State } from './state.ts';

export interface ApiCall {
  grant: Grant;
  query: Record<string, string>;
  body: Record<string, unknown>;
  params: Record<string, string>;
}

export class Refusal extends Error {
  readonly status: number;
  readonly extra: Record<string, unknown>;

  constructor(status: number, error: string, extra: Record<string, unknown> = {}) {
    super(error);
    this.status = status;
    this.extra = extra;
  }
}

export type FieldKind = 'string' | 'integer' | 'number' | 'boolean' | 'flag' | 'array' | 'object' | 'uuid';

export interface Endpoint {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With its version, e.g. `/api/v2/persons/:id`. */
  path: string;
  cost: number;
  /** Any of them is enough. */
  scopes: readonly string[];
  search?: boolean;
  query?: Readonly<Record<string, FieldKind>>;
  body?: Readonly<Record<string, FieldKind>>;
  /** Its fields are checked by the endpoint itself. */
  anyBody?: true;
  required?: readonly string[];
  run: (call: ApiCall) => { status?: number; body: unknown };
}

const longestBody = 1_000_000;
const windowMs = 2_000;

/** The handler of one endpoint, with everything around it. */
export function handle(state: State, endpoint: Endpoint) {
  return async (ctx: Context): Promise<void> => {
    const noted = noteCall(state, ctx, endpoint.cost);
    try {
      const grant = authenticate(state, ctx);
      noted.companyId = grant.companyId;
      noted.userId = grant.userId;
      limitBurst(state, ctx, grant, endpoint);
      spend(state, ctx, grant, endpoint.cost);
      if (!endpoint.scopes.some((scope) => grant.scopes.includes(scope)))
        throw new Refusal(403, 'Scope and URL mismatch');
      const query = checkFields('query', ctx.query, endpoint.query ?? {});
      const body = endpoint.body
        ? checkFields('body', await readJson(ctx), endpoint.body)
        : endpoint.anyBody
          ? await readJson(ctx)
          : {};
      noted.body = body;
      const missing = (endpoint.required ?? []).filter((field) => body[field] === undefined);
      if (missing.length > 0) throw new Refusal(400, `${missing.join(', ')} is required`);
      const { params } = ctx as unknown as { params: Record<string, string> };
      const answer = endpoint.run({ grant, query: query as Record<string, string>, body, params });
      ctx.status = answer.status ?? 200;
      ctx.body = answer.body;
    } catch (error) {
      if (error instanceof BodyTooLarge) refuse(ctx, new Refusal(413, 'Request entity too large'));
      else if (error instanceof Refusal) refuse(ctx, error);
      else throw error;
    } finally {
      noted.status = ctx.status;
    }
  };
}

/** Verbs and paths that are not there. */
export async function unknownPaths(ctx: Context, next: Next): Promise<void> {
  await next();
  if (!/^\/(api\/)?v[12]\//.test(ctx.path) || ctx.body !== undefined) return;
  if (ctx.status === 404) refuse(ctx, new Refusal(404, 'Unknown method .'));
  if (ctx.status === 405) refuse(ctx, new Refusal(405, 'Method not allowed'));
}

export function refuse(ctx: Context, refusal: Refusal): void {
  ctx.status = refusal.status;
  ctx.body =
    refusal.status === 401
      ? { success: false, error: 'unauthorized access', errorCode: 401 }
      : {
          success: false,
          error: refusal.message,
          error_info: 'Please check developers.pipedrive.com',
          data: null,
          additional_data: null,
          ...refusal.extra,
        };
}

export function noteCall(state: State, ctx: Context, cost: number): PipedriveCall {
  const call: PipedriveCall = {
    at: new Date(state.now()).toISOString(),
    method: ctx.method,
    path: ctx.path,
    query: Object.fromEntries(new URLSearchParams(ctx.querystring)),
    body: undefined,
    status: 0,
    companyId: null,
    userId: null,
    cost,
  };
  state.calls.push(call);
  return call;
}

function authenticate(state: State, ctx: Context): Grant {
  const token = /^Bearer (.+)$/.exec(ctx.get('authorization'))?.[1];
  const grant = state.grants.find((known) => known.accessToken === token);
  if (!grant || grant.accessUntil <= state.now()) throw new Refusal(401, 'unauthorized access');
  return grant;
}

function limitBurst(state: State, ctx: Context, grant: Grant, endpoint: Endpoint): void {
  const now = state.now();
  const count = (key: string): number => {
    const times = (state.recent.get(key) ?? []).filter((time) => time > now - windowMs);
    times.push(now);
    state.recent.set(key, times);
    return times.length;
  };
  const used = count(grant.accessToken);
  const searches = endpoint.search ? count(`search ${grant.companyId}:${grant.userId}`) : 0;
  ctx.set('x-ratelimit-limit', String(state.burstLimit));
  ctx.set('x-ratelimit-remaining', String(Math.max(0, state.burstLimit - used)));
  ctx.set('x-ratelimit-reset', '2');
  if (used > state.burstLimit || searches > state.searchLimit)
    throw new Refusal(429, 'Request over limit', { errorCode: 429 });
}

function spend(state: State, ctx: Context, grant: Grant, cost: number): void {
  const company = state.companies.find((found) => found.id === grant.companyId)!;
  const left = company.dailyTokens - company.spentTokens;
  ctx.set('x-daily-ratelimit-token-limit', String(company.dailyTokens));
  if (left < cost) {
    ctx.set('x-daily-ratelimit-token-remaining', '0');
    throw new Refusal(429, 'Request over limit', { errorCode: 429 });
  }
  company.spentTokens += cost;
  ctx.set('x-daily-ratelimit-token-remaining', String(left - cost));
}

async function readJson(ctx: Context): Promise<Record<string, unknown>> {
  if (contentType(ctx) !== 'application/json') throw new Refusal(415, 'Content type must be application/json');
  const text = (await readBody(ctx, longestBody)).toString('utf8');
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
      return parsed as Record<string, unknown>;
  } catch {
    // Refused below.
  }
  throw new Refusal(400, 'Body is not valid JSON');
}

function checkFields(
  where: string,
  values: Record<string, unknown>,
  known: Readonly<Record<string, FieldKind>>,
): Record<string, unknown> {
  for (const [name, value] of Object.entries(values)) {
    const kind = known[name];
    if (!kind) throw new Refusal(400, `${where} parameter '${name}' is not allowed`);
    if (!fits(kind, value, where === 'query'))
      throw new Refusal(400, `${where} parameter '${name}' must be of type ${kind}`);
  }
  return values;
}

function fits(kind: FieldKind, value: unknown, isText: boolean): boolean {
  if (isText) {
    if (typeof value !== 'string') return false;
    if (kind === 'integer' || kind === 'flag') return /^\d+$/.test(value);
    if (kind === 'boolean') return /^(true|false|0|1)$/.test(value);
    return true;
  }
  switch (kind) {
    case 'string':
      return typeof value === 'string';
    case 'uuid':
      return typeof value === 'string' && /^[0-9a-f-]{36}$/.test(value);
    case 'integer':
      return Number.isInteger(value);
    case 'number':
      return typeof value === 'number';
    case 'boolean':
      return typeof value === 'boolean';
    case 'flag':
      return value === 0 || value === 1;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
  }
}

export function ok(data: unknown, additional: Record<string, unknown> = {}): { body: unknown } {
  return { body: { success: true, data, additional_data: additional } };
}

/** A cursor page of v2: the cursor is the next offset, dressed up. */
export function cursorPage<T>(
  rows: readonly T[],
  query: Record<string, string>,
  shape: (row: T) => unknown,
): { body: unknown } {
  const limit = Math.min(Number(query.limit ?? 100), 500);
  const start = query.cursor ? Number(Buffer.from(query.cursor, 'base64url').toString()) : 0;
  if (!Number.isInteger(start)) throw new Refusal(400, 'cursor is invalid');
  const next = start + limit < rows.length ? Buffer.from(String(start + limit)).toString('base64url') : null;
  return ok(rows.slice(start, start + limit).map(shape), { next_cursor: next });
}
