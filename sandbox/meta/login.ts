// Facebook Login: the consent dialog, codes, tokens, and what a token says of itself and its person.
import { randomBytes } from 'node:crypto';
import type Router from '@koa/router';
import type { Context } from 'koa';
import { paramOf, readBody } from '../listen.ts';
import { dialogPage, refusalPage, type Asked } from './dialog.ts';
import { parseFields, cut, pageThrough } from './fields.ts';
import { GraphError, invalid, missing, personOf, queryOf, requireAlive, requireAppToken, tokenOf } from './graph.ts';
import { addressOf, newToken, type MetaPage, type MetaPerson, type MetaState, type MetaToken } from './state.ts';

const permissions = [
  'pages_show_list',
  'pages_messaging',
  'pages_manage_metadata',
  'pages_read_engagement',
  'business_management',
];
const hourMs = 3_600_000;
const codeLifeMs = 10 * 60_000;

/** Of www.facebook.com. The person chooses who to be, which Pages and which permissions. */
export function dialogRoutes(router: Router, state: MetaState): void {
  router.get('/dialog/oauth', (ctx) => {
    const asked = askedOf(state, ctx.URL.searchParams);
    ctx.type = 'html';
    if (typeof asked === 'string') {
      ctx.status = 400;
      ctx.body = refusalPage(asked);
      return;
    }
    ctx.body = dialogPage(state, asked, ctx.URL.search);
  });

  router.post('/dialog/oauth', async (ctx) => {
    const asked = askedOf(state, ctx.URL.searchParams);
    const form = new URLSearchParams((await readBody(ctx, 100_000)).toString('utf8'));
    const person = state.people.get(form.get('person') ?? '');
    if (typeof asked === 'string' || !person) {
      ctx.type = 'html';
      ctx.status = 400;
      ctx.body = refusalPage(typeof asked === 'string' ? asked : 'Choose who you are.');
      return;
    }
    const isDenied = form.get('answer') !== 'continue';
    const granted = form.getAll('permission');
    ctx.redirect(
      isDenied
        ? refuse(asked)
        : consent(state, person, asked, {
            pageIds: form.getAll('page'),
            declined: asked.scopes.filter((scope) => !granted.includes(scope)),
          }),
    );
  });
}

/** What the dialog's address asks for, or why it is refused. */
export function askedOf(state: MetaState, query: URLSearchParams): Asked | string {
  const redirectUri = query.get('redirect_uri') ?? '';
  const configId = query.get('config_id');
  const scopes = (query.get('scope') ?? '').split(/[,\s]+/).filter(Boolean);
  const known = ['client_id', 'redirect_uri', 'state', 'response_type', 'scope', 'config_id', 'auth_type'];
  const unknown = [...query.keys()].find(
    (name) => ![...known, 'override_default_response_type', 'display'].includes(name),
  );
  if (query.get('client_id') !== state.app.id) return 'Invalid App ID: the app is unknown.';
  if (redirectUri !== `${state.appUrl()}/oauth/meta/callback`) {
    return 'URL blocked: the redirect URI is not among the Valid OAuth Redirect URIs of the app.';
  }
  if ((query.get('response_type') ?? 'code') !== 'code') return 'Only response_type=code is offered here.';
  if (unknown) return `Unknown parameter ${unknown}.`;
  if (configId === null && scopes.length === 0) return 'Neither scope nor config_id is given.';
  const strange = scopes.find((scope) => !permissions.includes(scope));
  if (strange) return `Invalid Scopes: ${strange}.`;
  return { redirectUri, state: query.get('state') ?? '', scopes: configId === null ? scopes : permissions, configId };
}

/** The person consents: pages left out lose their tokens at once (code 190), as in every repeated login. */
export function consent(
  state: MetaState,
  person: MetaPerson,
  asked: Asked,
  choice: { pageIds: readonly string[]; declined: readonly string[] },
): string {
  if (asked.configId !== null && choice.declined.length > 0) return refuse(asked);
  const pageIds = new Set(choice.pageIds.filter((id) => person.tasks.has(id)));
  person.grant = {
    scopes: new Set(asked.scopes.filter((scope) => !choice.declined.includes(scope))),
    declined: new Set(choice.declined),
    pageIds,
  };
  for (const token of state.tokens.values()) {
    if (token.personId === person.id && token.pageId !== null && !pageIds.has(token.pageId)) token.deadWith = 0;
  }
  const code = randomBytes(48).toString('base64url');
  const expiresAt = state.now() + codeLifeMs;
  state.codes.set(code, { personId: person.id, redirectUri: asked.redirectUri, expiresAt });
  const url = new URL(asked.redirectUri);
  url.searchParams.set('code', code);
  url.searchParams.set('state', asked.state);
  return `${url.href}#_=_`;
}

export function refuse(asked: Asked): string {
  const url = new URL(asked.redirectUri);
  url.searchParams.set('error_reason', 'user_denied');
  url.searchParams.set('error', 'access_denied');
  url.searchParams.set('error_description', 'Permissions error');
  url.searchParams.set('state', asked.state);
  return url.href;
}

/** Of graph.facebook.com. */
export function loginRoutes(router: Router, state: MetaState): void {
  router.get('/oauth/access_token', (ctx) => {
    const query = queryOf(ctx, [
      'client_id',
      'client_secret',
      'redirect_uri',
      'code',
      'grant_type',
      'fb_exchange_token',
    ]);
    if (query.get('client_id') !== state.app.id || query.get('client_secret') !== state.app.secret) {
      throw new GraphError(101, undefined, 'Error validating client secret');
    }
    const grantType = query.get('grant_type');
    if (grantType === 'fb_exchange_token') ctx.body = exchange(state, query.get('fb_exchange_token') ?? '');
    else if (grantType === 'client_credentials') {
      ctx.body = { access_token: `${state.app.id}|${state.app.secret}`, token_type: 'bearer' };
    } else if (grantType === null || grantType === 'authorization_code') {
      ctx.body = redeem(state, query.get('code') ?? '', query.get('redirect_uri'));
    } else throw invalid('Unknown grant_type');
  });

  router.get('/debug_token', (ctx) => {
    const query = queryOf(ctx, ['input_token']);
    requireAppToken(state, ctx);
    const token = state.tokens.get(query.get('input_token') ?? '');
    if (!token) throw invalid('The input_token is not of this app');
    ctx.body = { data: describe(state, token) };
  });

  router.get('/me/permissions', (ctx) => {
    queryOf(ctx);
    const grant = personOf(state, ctx).grant;
    const of = (names: Iterable<string>, status: string) => [...names].map((permission) => ({ permission, status }));
    ctx.body = {
      data: [
        ...of(grant?.scopes ?? [], 'granted'),
        ...of(['public_profile'], 'granted'),
        ...of(grant?.declined ?? [], 'declined'),
      ],
    };
  });

  router.get('/:id/accounts', (ctx) => {
    const id = paramOf(ctx, 'id');
    if (id !== 'me' && id !== personOf(state, ctx).id) throw missing(id);
    ctx.body = accounts(state, ctx);
  });

  router.get('/:id/picture', (ctx) => {
    queryOf(ctx, ['redirect', 'type', 'width', 'height']);
    const page = state.pages.get(paramOf(ctx, 'id'));
    if (!page) throw missing(paramOf(ctx, 'id'));
    ctx.body = { data: { url: pictureOf(state, page), is_silhouette: page.picture === null } };
  });
}

function redeem(state: MetaState, text: string, redirectUri: string | null): object {
  const code = state.codes.get(text);
  state.codes.delete(text);
  if (!code || code.expiresAt <= state.now())
    throw new GraphError(100, 36009, 'This authorization code has expired or was used');
  if (code.redirectUri !== redirectUri)
    throw new GraphError(100, 36008, 'The redirect_uri is not identical to the one of the dialog');
  const token = issue(state, { kind: 'user', personId: code.personId, pageId: null, lifeMs: 1.5 * hourMs });
  return { access_token: token.value, token_type: 'bearer', expires_in: 5_400 };
}

function exchange(state: MetaState, text: string): object {
  const short = state.tokens.get(text);
  if (short?.kind !== 'user') throw new GraphError(190, undefined, 'Invalid OAuth access token');
  requireAlive(state, short);
  const token = issue(state, { kind: 'user', personId: short.personId, pageId: null, lifeMs: 60 * 24 * hourMs });
  return { access_token: token.value, token_type: 'bearer', expires_in: 5_183_944 };
}

function issue(
  state: MetaState,
  given: Pick<MetaToken, 'kind' | 'personId' | 'pageId'> & { lifeMs: number | null },
): MetaToken {
  const token: MetaToken = {
    value: newToken(),
    kind: given.kind,
    personId: given.personId,
    pageId: given.pageId,
    issuedAt: state.now(),
    expiresAt: given.lifeMs === null ? 0 : state.now() + given.lifeMs,
    deadWith: null,
  };
  state.tokens.set(token.value, token);
  return token;
}

/** A Page token lives as long as the user token it came from; made from a long-lived one it has no end. */
function pageToken(state: MetaState, person: MetaPerson, page: MetaPage, from: MetaToken): MetaToken {
  const isLong = from.expiresAt - from.issuedAt > 24 * hourMs;
  const known = [...state.tokens.values()].find(
    (token) =>
      token.pageId === page.id &&
      token.personId === person.id &&
      token.deadWith === null &&
      (isLong ? token.expiresAt === 0 : token.expiresAt === from.expiresAt),
  );
  const lifeMs = isLong ? null : from.expiresAt - state.now();
  return known ?? issue(state, { kind: 'page', personId: person.id, pageId: page.id, lifeMs });
}

function accounts(state: MetaState, ctx: Context): object {
  const query = queryOf(ctx, ['limit', 'after', 'before']);
  const person = personOf(state, ctx);
  const token = tokenOf(state, ctx);
  const { grant } = person;
  if (!grant?.scopes.has('pages_show_list')) return { data: [] };
  const pages = [...grant.pageIds]
    .flatMap((id) => state.pages.get(id) ?? [])
    .filter((page) => !page.inBusiness || grant.scopes.has('business_management'));
  const { shown, paging } = pageThrough(pages, query, (after) => {
    const url = new URL(`${state.url}/${String(ctx.state.version)}/${person.id}/accounts`);
    for (const [name, value] of query) url.searchParams.set(name, value);
    url.searchParams.set('access_token', token.value);
    url.searchParams.set('after', after);
    return url.href;
  });
  const fields = parseFields(query.get('fields') ?? 'access_token,category,category_list,name,id,tasks');
  const data = shown.map((page) =>
    cut('Page', fields, {
      id: () => page.id,
      name: () => page.name,
      category: () => page.category,
      category_list: () => [{ id: '1770', name: page.category }],
      tasks: () => person.tasks.get(page.id),
      access_token: () => pageToken(state, person, page, token).value,
      picture: () => ({ data: { url: pictureOf(state, page) } }),
    }),
  );
  return { data, ...(paging ? { paging } : {}) };
}

export function pictureOf(state: MetaState, page: MetaPage): string | undefined {
  return page.picture ? addressOf(state, `page-${page.id}`, page.picture) : undefined;
}

function describe(state: MetaState, token: MetaToken): object {
  const person = state.people.get(token.personId);
  const seconds = (ms: number) => Math.floor(ms / 1_000);
  const isExpired = token.expiresAt > 0 && token.expiresAt <= state.now();
  const type = token.kind === 'page' ? 'PAGE' : 'USER';
  if (token.deadWith !== null || isExpired) {
    const error = { code: 190, message: 'session invalidated', subcode: isExpired ? 463 : token.deadWith || undefined };
    const expiresAt = seconds(token.expiresAt);
    return {
      app_id: state.app.id,
      type,
      error,
      expires_at: expiresAt,
      is_valid: false,
      scopes: [],
      user_id: token.personId,
    };
  }
  const scopes = [...(person?.grant?.scopes ?? [])];
  const pageIds = [...(person?.grant?.pageIds ?? [])];
  return {
    app_id: state.app.id,
    type,
    application: state.app.name,
    data_access_expires_at: seconds(token.issuedAt) + 90 * 24 * 3_600,
    expires_at: seconds(token.expiresAt),
    is_valid: true,
    issued_at: seconds(token.issuedAt),
    ...(token.pageId === null ? {} : { profile_id: token.pageId }),
    scopes: [...scopes, 'public_profile'],
    granular_scopes: scopes.map((scope) => ({ scope, target_ids: pageIds })),
    user_id: token.personId,
  };
}
