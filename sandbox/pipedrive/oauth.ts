// The OAuth server: consent, tokens, revocation; strict where the real one is (Marketplace OAuth authorization; status codes).
import type Router from '@koa/router';
import type { Context } from 'koa';
import { contentType, readBody } from '../listen.ts';
import { page, escapeHtml } from './html.ts';
import { allScopes, newSecret, type Grant, type State, type User } from './state.ts';

export interface OauthOptions {
  clientId: string;
  clientSecret: string;
  redirectUri: () => string;
  ownUrl: () => string;
}

const codeMs = 5 * 60_000;
const accessMs = 3_600_000;

export function oauthRoutes(router: Router, state: State, options: OauthOptions): void {
  router.get('/oauth/authorize', (ctx) => authorize(ctx, state, options));
  router.post('/oauth/authorize', async (ctx) => {
    const form = new URLSearchParams((await readBody(ctx, 10_000)).toString());
    const user = state.users.find((found) => String(found.id) === form.get('user'));
    const target = new URL(options.redirectUri());
    if (form.get('state')) target.searchParams.set('state', form.get('state')!);
    if (form.get('answer') !== 'allow' || !user) target.searchParams.set('error', 'user_denied');
    else target.searchParams.set('code', newCode(state, user));
    ctx.redirect(target.href);
  });
  router.post('/oauth/token', async (ctx) => {
    const form = await readForm(ctx);
    if (!form)
      return refuse(ctx, 'invalid_request', 'Invalid request: content must be application/x-www-form-urlencoded');
    if (!isClient(ctx, options)) return refuse(ctx, 'invalid_client', 'Invalid client: client is invalid');
    const type = form.get('grant_type');
    if (!type) return refuse(ctx, 'invalid_request', 'Missing parameter: grant_type');
    if (type === 'authorization_code') return exchange(ctx, state, options, form);
    if (type === 'refresh_token') return refresh(ctx, state, options, form);
    return refuse(ctx, 'unsupported_grant_type', 'Unsupported grant type: grant_type is invalid');
  });
  router.post('/oauth/revoke', async (ctx) => {
    const form = await readForm(ctx);
    if (!form || !isClient(ctx, options)) return refuse(ctx, 'invalid_client', 'Invalid client: client is invalid');
    const token = form.get('token');
    state.grants = state.grants.filter((grant) => grant.refreshToken !== token);
    for (const grant of state.grants) if (grant.accessToken === token) grant.accessUntil = 0;
    ctx.body = '';
    ctx.status = 200;
  });
}

export function newCode(state: State, user: User): string {
  const code = newSecret('');
  state.codes.set(code, { companyId: user.companyId, userId: user.id, until: state.now() + codeMs, used: false });
  return code;
}

function authorize(ctx: Context, state: State, options: OauthOptions): void {
  const { client_id: client, redirect_uri: redirect, state: value } = ctx.query;
  if (client !== options.clientId || redirect !== options.redirectUri()) {
    ctx.status = 400;
    ctx.body = { error: 'Invalid redirect URL' };
    return;
  }
  const known = ctx.cookies.get('user');
  const users = state.users.map((user) => {
    const company = state.companies.find((found) => found.id === user.companyId)!;
    const checked = String(user.id) === known ? ' checked' : '';
    return `<label class="choice"><input type="radio" name="user" value="${user.id}"${checked} required>
      <span><b>${escapeHtml(user.name)}</b><br><small>${escapeHtml(company.name)}${user.admin ? ' · admin' : ''}</small></span></label>`;
  });
  ctx.type = 'html';
  ctx.body = page(
    'Allow access',
    `<main class="card narrow"><h1>Messaging inbox wants to access your account</h1>
    <p>It will read and change contacts, deals, leads and notes in your name.</p>
    <form method="post" action="/oauth/authorize"><input type="hidden" name="state" value="${escapeHtml(String(value ?? ''))}">
    <fieldset><legend>Act as</legend>${users.join('')}</fieldset>
    <p class="buttons"><button name="answer" value="deny" formnovalidate>Cancel</button>
    <button class="primary" name="answer" value="allow">Allow and install</button></p></form></main>`,
  );
}

function exchange(ctx: Context, state: State, options: OauthOptions, form: URLSearchParams): void {
  const code = state.codes.get(form.get('code') ?? '');
  if (form.get('redirect_uri') !== options.redirectUri())
    return refuse(ctx, 'invalid_request', 'Invalid request: redirect_uri is invalid');
  if (!code || code.used) return refuse(ctx, 'invalid_grant', 'Invalid grant: authorization_code is invalid');
  code.used = true;
  if (code.until < state.now()) return refuse(ctx, 'invalid_grant', 'Invalid grant: authorization_code has expired');
  const grant: Grant = {
    companyId: code.companyId,
    userId: code.userId,
    accessToken: newSecret('v1u:'),
    refreshToken: newSecret(''),
    accessUntil: state.now() + accessMs,
    scopes: allScopes,
  };
  state.grants = state.grants.filter((known) => known.userId !== grant.userId || known.companyId !== grant.companyId);
  state.grants.push(grant);
  answerTokens(ctx, options, grant);
}

function refresh(ctx: Context, state: State, options: OauthOptions, form: URLSearchParams): void {
  const token = form.get('refresh_token') ?? '';
  state.refreshes.push(token);
  const grant = state.grants.find((known) => known.refreshToken === token);
  if (!grant) return refuse(ctx, 'invalid_grant', 'Invalid grant: refresh_token is invalid');
  grant.accessToken = newSecret('v1u:');
  grant.accessUntil = state.now() + accessMs;
  if (state.rotating) grant.refreshToken = newSecret('');
  answerTokens(ctx, options, grant);
}

function answerTokens(ctx: Context, options: OauthOptions, grant: Grant): void {
  ctx.body = {
    access_token: grant.accessToken,
    token_type: 'Bearer',
    refresh_token: grant.refreshToken,
    scope: grant.scopes.join(','),
    expires_in: accessMs / 1_000 - 1,
    api_domain: options.ownUrl(),
  };
}

async function readForm(ctx: Context): Promise<URLSearchParams | undefined> {
  if (contentType(ctx) !== 'application/x-www-form-urlencoded') return undefined;
  return new URLSearchParams((await readBody(ctx, 100_000)).toString());
}

function isClient(ctx: Context, options: OauthOptions): boolean {
  return (
    ctx.get('authorization') ===
    `Basic ${Buffer.from(`${options.clientId}:${options.clientSecret}`).toString('base64')}`
  );
}

function refuse(ctx: Context, error: string, message: string): void {
  ctx.status = 400;
  ctx.body = { success: false, message, error };
}
