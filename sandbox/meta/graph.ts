// The manners of the Graph API: versions, tokens and their proof, errors by code and subcode, bodies in three shapes.
import { createHmac, randomBytes } from 'node:crypto';
import type { Context, Middleware } from 'koa';
import { BodyTooLarge, contentType, paramOf, readBody } from '../listen.ts';
import type { MetaFile, MetaPage, MetaPerson, MetaState, MetaToken } from './state.ts';

/** An error as Graph shapes it. The text is a placeholder: callers must go by the numbers. */
export class GraphError extends Error {
  readonly code: number;
  readonly subcode: number | undefined;
  readonly type: string;

  constructor(code: number, subcode?: number, message = 'sandbox error', type = 'OAuthException') {
    super(message);
    this.code = code;
    this.subcode = subcode;
    this.type = type;
  }
}

/** 100 without subcode: a parameter is wrong. */
export function invalid(message: string): GraphError {
  return new GraphError(100, undefined, `(#100) ${message}`);
}

/** 100/33: no such object, or not for this token. */
export function missing(id: string): GraphError {
  return new GraphError(100, 33, `Unsupported request. Object with ID '${id}' does not exist`, 'GraphMethodException');
}

const versions = ['v21.0', 'v22.0', 'v23.0', 'v24.0', 'v25.0', 'v26.0'];

export function answerErrors(): Middleware {
  return async (ctx, next) => {
    ctx.set('X-App-Usage', JSON.stringify({ call_count: 1, total_cputime: 1, total_time: 1 }));
    try {
      await next();
      if (ctx.status === 405 || (ctx.status === 404 && ctx.body === undefined)) {
        const verb = ctx.method.toLowerCase();
        throw new GraphError(100, 33, `Unsupported ${verb} request to ${ctx.path}`, 'GraphMethodException');
      }
    } catch (error) {
      const known =
        error instanceof GraphError
          ? error
          : error instanceof BodyTooLarge
            ? new GraphError(100, 2018109, '(#100) too large')
            : new GraphError(1, undefined, `An unknown error has occurred: ${String(error)}`);
      ctx.status = known.code === 1 ? 500 : 400;
      ctx.body = {
        error: {
          message: known.message,
          type: known.type,
          code: known.code,
          ...(known.subcode === undefined ? {} : { error_subcode: known.subcode }),
          fbtrace_id: `A${randomBytes(16).toString('base64url')}`,
        },
      };
    }
  };
}

export function noteCalls(state: MetaState): Middleware {
  return async (ctx, next) => {
    const query = Object.fromEntries(ctx.URL.searchParams);
    const at = new Date(state.now()).toISOString();
    const call = { at, method: ctx.method, path: ctx.path, query, body: undefined as unknown, status: 0 };
    state.calls.push(call);
    ctx.state.call = call;
    await next();
    call.status = ctx.status;
  };
}

/** Takes the version off the path; unversioned and unknown ones are refused. */
export function requireVersion(): Middleware {
  return async (ctx, next) => {
    const [, version = '', rest = ''] = /^\/(v\d+\.\d+)(\/.*)$/.exec(ctx.path) ?? [];
    if (!versions.includes(version)) {
      throw new GraphError(2500, undefined, `Unknown path components: ${ctx.path}`);
    }
    ctx.state.version = version;
    ctx.path = rest;
    await next();
  };
}

/** The query's parameters; unknown names are refused, those every call may carry are not. */
export function queryOf(ctx: Context, known: readonly string[] = []): URLSearchParams {
  const always = ['access_token', 'appsecret_proof', 'fields', 'locale', 'pretty'];
  for (const name of ctx.URL.searchParams.keys()) {
    if (!known.includes(name) && !always.includes(name)) throw invalid(`Unknown parameter: ${name}`);
  }
  return ctx.URL.searchParams;
}

export function proofOf(appSecret: string, token: string): string {
  return createHmac('sha256', appSecret).update(token).digest('hex');
}

function tokenText(ctx: Context): string {
  const [, bearer] = /^(?:Bearer|OAuth) (\S+)$/i.exec(ctx.get('authorization')) ?? [];
  return bearer ?? ctx.URL.searchParams.get('access_token') ?? '';
}

function isAppToken(state: MetaState, text: string): boolean {
  return text === `${state.app.id}|${state.app.secret}`;
}

export function requireAppToken(state: MetaState, ctx: Context): void {
  if (!isAppToken(state, tokenText(ctx))) throw new GraphError(190, undefined, 'Invalid application access token');
}

/** The living token of this call. */
export function tokenOf(state: MetaState, ctx: Context): MetaToken {
  const text = tokenText(ctx);
  if (text === '') throw new GraphError(104, undefined, 'An access token is required to request this resource');
  const token = state.tokens.get(text);
  if (!token) throw new GraphError(190, undefined, 'Invalid OAuth access token');
  requireAlive(state, token);
  const proof = ctx.URL.searchParams.get('appsecret_proof');
  const isWrong = proof === null ? state.options.requireProof : proof !== proofOf(state.app.secret, text);
  if (isWrong) {
    throw new GraphError(
      100,
      undefined,
      'Invalid appsecret_proof provided in the API argument',
      'GraphMethodException',
    );
  }
  return token;
}

export function requireAlive(state: MetaState, token: MetaToken): void {
  if (token.deadWith !== null) throw new GraphError(190, token.deadWith || undefined, 'Error validating access token');
  if (token.expiresAt > 0 && token.expiresAt <= state.now()) {
    throw new GraphError(190, 463, 'Error validating access token: session has expired');
  }
}

/** The person behind a user token. */
export function personOf(state: MetaState, ctx: Context): MetaPerson {
  const token = tokenOf(state, ctx);
  const person = state.people.get(token.personId);
  if (!person || token.kind !== 'user') throw new GraphError(210, undefined, '(#210) A user access token is required');
  return person;
}

/** The Page in the path, or `me`, when the token is that Page's and its person has the permission and a task. */
export function pageOf(state: MetaState, ctx: Context, permission: string, tasks: readonly string[]): MetaPage {
  const token = tokenOf(state, ctx);
  const id = paramOf(ctx, 'id') === 'me' ? token.pageId : paramOf(ctx, 'id');
  const page = state.pages.get(id ?? '');
  if (!page) throw missing(paramOf(ctx, 'id'));
  if (token.kind !== 'page')
    throw new GraphError(190, undefined, '(#190) This method must be called with a Page Access Token');
  if (token.pageId !== page.id)
    throw new GraphError(10, undefined, '(#10) Application does not have permission for this action');
  const person = state.people.get(token.personId);
  if (!person?.grant?.scopes.has(permission)) {
    throw new GraphError(permission === 'pages_messaging' ? 10 : 200, undefined, `Requires ${permission} permission`);
  }
  const has = person.tasks.get(page.id) ?? [];
  if (!tasks.some((task) => has.includes(task))) throw new GraphError(190, 492, 'The person has no role on the Page');
  return page;
}

export interface GraphBody {
  fields: Record<string, unknown>;
  file: MetaFile | null;
}

const maxBody = 26 * 1024 * 1024;

/** A body as JSON, form or multipart, always as plain fields; unknown ones are refused. */
export async function bodyOf(ctx: Context, known: readonly string[]): Promise<GraphBody> {
  const raw = await readBody(ctx, maxBody);
  const body = await parse(ctx, raw);
  (ctx.state.call as { body: unknown }).body = body.fields;
  for (const name of Object.keys(body.fields)) {
    if (!known.includes(name) && name !== 'access_token') throw invalid(`Unknown field: ${name}`);
  }
  return body;
}

async function parse(ctx: Context, raw: Buffer): Promise<GraphBody> {
  switch (contentType(ctx)) {
    case 'application/json':
      return { fields: objectIn(raw.toString('utf8')), file: null };
    case 'application/x-www-form-urlencoded':
      return { fields: Object.fromEntries([...new URLSearchParams(raw.toString('utf8'))].map(plain)), file: null };
    case 'multipart/form-data':
      return multipart(ctx.get('content-type'), raw);
    case '':
      if (raw.length === 0) return { fields: {}, file: null };
  }
  throw invalid('The request body has a type that is not taken here');
}

function objectIn(text: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
      return parsed as Record<string, unknown>;
  } catch {
    // Said below, for no object as for no JSON.
  }
  throw invalid('The request body is no JSON object');
}

/** Form values that are objects come as JSON. */
function plain([name, value]: [string, string]): [string, unknown] {
  return [name, /^\s*[{[]/.test(value) ? (JSON.parse(value) as unknown) : value];
}

async function multipart(type: string, raw: Buffer): Promise<GraphBody> {
  const form = await new Response(new Uint8Array(raw), { headers: { 'content-type': type } }).formData();
  const fields: Record<string, unknown> = {};
  let file: MetaFile | null = null;
  for (const [name, value] of form) {
    if (typeof value === 'string') fields[name] = plain([name, value])[1];
    else if (name === 'filedata') {
      file = { bytes: Buffer.from(await value.arrayBuffer()), contentType: value.type, name: value.name };
    } else throw invalid(`Unknown part: ${name}`);
  }
  return { fields, file };
}
