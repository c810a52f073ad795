// The manners of Twilio's REST API: Basic auth, error bodies, which bodies and parameters a call takes.
import type { Context, Middleware } from 'koa';
import { BodyTooLarge, contentType, paramOf, readBody } from '../listen.ts';
import type { TwilioAccount, TwilioState } from './state.ts';

/** An error as v2010 shapes it. */
export class TwilioError extends Error {
  readonly status: number;
  readonly code: number;

  constructor(status: number, code: number, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export function notFound(ctx: Context): TwilioError {
  return new TwilioError(404, 20404, `The requested resource ${ctx.path} was not found`);
}

export function answerErrors(): Middleware {
  return async (ctx, next) => {
    ctx.set('Twilio-Request-Id', `RQ${Math.random().toString(16).slice(2).padEnd(32, '0').slice(0, 32)}`);
    ctx.set('Twilio-Concurrent-Requests', '1');
    try {
      await next();
      if (ctx.status === 404 && ctx.body === undefined) throw notFound(ctx);
      if (ctx.status === 405 || ctx.status === 501) throw new TwilioError(405, 20004, 'Method not allowed');
    } catch (error) {
      const known =
        error instanceof TwilioError
          ? error
          : error instanceof BodyTooLarge
            ? new TwilioError(413, 20001, 'Request entity too large')
            : new TwilioError(500, 20500, `An internal server error has occurred: ${String(error)}`);
      ctx.status = known.status;
      if (known.status === 401) ctx.set('WWW-Authenticate', 'Basic realm="Twilio API"');
      ctx.body = {
        code: known.code,
        message: known.message,
        more_info: `https://www.twilio.com/docs/errors/${known.code}`,
        status: known.status,
      };
    }
  };
}

export function noteCalls(state: TwilioState): Middleware {
  return async (ctx, next) => {
    const call = {
      at: new Date(state.now()).toISOString(),
      method: ctx.method,
      path: ctx.path,
      query: Object.fromEntries(ctx.URL.searchParams),
      body: undefined as unknown,
      status: 0,
    };
    state.calls.push(call);
    ctx.state.call = call;
    await next();
    call.status = ctx.status;
  };
}

interface Login {
  account: TwilioAccount;
  key: 'main' | 'standard' | null;
}

/** Who calls; 401 with 20003 for everybody unknown. */
export function authenticate(state: TwilioState): Middleware {
  return async (ctx, next) => {
    const login = loginOf(state, ctx.get('authorization'));
    if (!login || login.account.status === 'closed') throw new TwilioError(401, 20003, 'Authenticate');
    ctx.state.login = login;
    await next();
  };
}

function loginOf(state: TwilioState, header: string): Login | undefined {
  const [, encoded = ''] = /^Basic (\S+)$/i.exec(header) ?? [];
  const [user = '', ...rest] = Buffer.from(encoded, 'base64').toString('utf8').split(':');
  const password = rest.join(':');
  const account = state.accounts.get(user);
  if (account) return account.authToken === password ? { account, key: null } : undefined;
  for (const owner of state.accounts.values()) {
    const key = owner.keys.get(user);
    if (key) return key.secret === password ? { account: owner, key: key.kind } : undefined;
  }
  return undefined;
}

/** The caller's own account: what the content. and messaging. hosts work on. */
export function ownAccount(ctx: Context): TwilioAccount {
  return requireActive((ctx.state.login as Login).account);
}

/** The account in the path: the caller's own or a subaccount of it. */
export function pathAccount(state: TwilioState, ctx: Context, { anyStatus = false } = {}): TwilioAccount {
  const login = ctx.state.login as Login;
  const account = state.accounts.get(paramOf(ctx, 'account').replace(/\.json$/, ''));
  if (!account || (account !== login.account && account.ownerSid !== login.account.sid)) throw notFound(ctx);
  if (anyStatus && login.key === 'standard') throw new TwilioError(401, 20003, 'Authenticate');
  return anyStatus ? account : requireActive(account);
}

function requireActive(account: TwilioAccount): TwilioAccount {
  if (account.status !== 'active') throw new TwilioError(403, 20005, 'Account not active');
  return account;
}

const maxBody = 256 * 1024;

/** A form's fields; anything but a form, an unknown field or one given twice is refused. */
export async function formOf(
  ctx: Context,
  known: readonly string[],
  repeated: readonly string[] = [],
): Promise<Map<string, string[]>> {
  const raw = (await readBody(ctx, maxBody)).toString('utf8');
  if (raw !== '' && contentType(ctx) !== 'application/x-www-form-urlencoded') {
    throw new TwilioError(
      415,
      20001,
      'Unsupported content type: this resource takes application/x-www-form-urlencoded',
    );
  }
  const fields = new Map<string, string[]>();
  for (const [name, value] of new URLSearchParams(raw)) fields.set(name, [...(fields.get(name) ?? []), value]);
  noteBody(
    ctx,
    Object.fromEntries([...fields].map(([name, values]) => [name, values.length > 1 ? values : values[0]])),
  );
  for (const [name, values] of fields) {
    if (!known.includes(name)) throw new TwilioError(400, 20001, `Unknown parameter ${name}`);
    if (values.length > 1 && !repeated.includes(name))
      throw new TwilioError(400, 20001, `Parameter ${name} given twice`);
  }
  return fields;
}

export async function jsonOf(ctx: Context): Promise<Record<string, unknown>> {
  const raw = (await readBody(ctx, maxBody)).toString('utf8');
  if (contentType(ctx) !== 'application/json') {
    throw new TwilioError(415, 20001, 'Unsupported content type: this resource takes application/json');
  }
  try {
    const parsed: unknown = JSON.parse(raw);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) {
      noteBody(ctx, parsed);
      return parsed as Record<string, unknown>;
    }
  } catch {
    // Said below, for no object as for no JSON.
  }
  throw new TwilioError(400, 20001, 'The request body is no JSON object');
}

function noteBody(ctx: Context, body: unknown): void {
  (ctx.state.call as { body: unknown }).body = body;
}

/** The query, with unknown names refused. */
export function queryOf(ctx: Context, known: readonly string[]): URLSearchParams {
  const query = ctx.URL.searchParams;
  for (const name of query.keys()) {
    if (!known.includes(name)) throw new TwilioError(400, 20001, `Unknown parameter ${name}`);
  }
  return query;
}

export function pageSizeOf(query: URLSearchParams, usual: number): number {
  const given = query.get('PageSize');
  if (given === null) return usual;
  const size = Number(given);
  if (!Number.isInteger(size) || size < 1) throw new TwilioError(400, 20001, 'PageSize must be 1 or more');
  return Math.min(size, 1_000);
}

/** RFC 2822, as v2010 writes times. */
export function rfc2822(time: number): string {
  return new Date(time).toUTCString().replace('GMT', '+0000');
}

/** A list of the newer APIs: absolute addresses in `meta`. */
export function metaList(
  state: TwilioState,
  ctx: Context,
  key: string,
  all: readonly unknown[],
  usual: number,
): object {
  const query = ctx.URL.searchParams;
  const size = pageSizeOf(query, usual);
  const page = Number(query.get('Page') ?? '0');
  const addressOf = (number: number) => {
    const url = new URL(state.url + ctx.path);
    for (const [name, value] of query) if (!/^Page(Size|Token)?$/.test(name)) url.searchParams.append(name, value);
    url.searchParams.set('PageSize', String(size));
    url.searchParams.set('Page', String(number));
    if (number > 0) url.searchParams.set('PageToken', `PT${number}`);
    return url.href;
  };
  return {
    [key]: all.slice(page * size, (page + 1) * size),
    meta: {
      page,
      page_size: size,
      first_page_url: addressOf(0),
      previous_page_url: page > 0 ? addressOf(page - 1) : null,
      url: addressOf(page),
      next_page_url: (page + 1) * size < all.length ? addressOf(page + 1) : null,
      key,
    },
  };
}
