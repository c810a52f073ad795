// Pipedrive's OAuth server: authorise, exchange, refresh, revoke (Marketplace OAuth authorization; App uninstallation).
import { z } from 'zod';
import { UpstreamError } from '../base/errors.ts';
import type { IncomingResponse, Send } from '../base/http.ts';

export interface OauthSettings {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly oauthUrl: string;
  /** Replaces the company's own address; stand-ins only. */
  readonly apiUrl: string | null;
  readonly publicUrl: string;
}

export interface OauthDeps {
  readonly send: Send;
  readonly settings: OauthSettings;
}

export interface Tokens {
  readonly accessToken: string;
  readonly refreshToken: string;
  /** Seconds. */
  readonly expiresIn: number;
  readonly scope: string;
  readonly apiDomain: string;
}

function redirectUri(settings: OauthSettings): string {
  return `${settings.publicUrl}/oauth/callback`;
}

export function authorizeUrl(settings: OauthSettings, state: string): string {
  const url = new URL(`${settings.oauthUrl}/oauth/authorize`);
  url.searchParams.set('client_id', settings.clientId);
  url.searchParams.set('redirect_uri', redirectUri(settings));
  url.searchParams.set('state', state);
  return url.href;
}

/** A code to tokens. Throws UpstreamError `refused` for a code that is wrong, used or expired. */
export function exchangeCode(deps: OauthDeps, code: string): Promise<Tokens> {
  return askForTokens(deps, { grant_type: 'authorization_code', code, redirect_uri: redirectUri(deps.settings) });
}

/** Throws UpstreamError `reconnect` when Pipedrive no longer knows the grant. */
export function refreshTokens(deps: OauthDeps, refreshToken: string): Promise<Tokens> {
  return askForTokens(deps, { grant_type: 'refresh_token', refresh_token: refreshToken });
}

/** Removes the whole grant at Pipedrive. */
export async function revokeGrant(deps: OauthDeps, refreshToken: string): Promise<void> {
  await deps.send({
    service: 'pipedrive',
    method: 'POST',
    url: `${deps.settings.oauthUrl}/oauth/revoke`,
    headers: formHeaders(deps.settings),
    body: new URLSearchParams({ token: refreshToken, token_type_hint: 'refresh_token' }).toString(),
  });
}

const tokenShape = z.object({
  access_token: z.string().min(1).max(20_000),
  refresh_token: z.string().min(1).max(20_000),
  expires_in: z.coerce
    .number()
    .int()
    .positive()
    .max(86_400 * 60),
  scope: z.string().max(5_000).catch(''),
  api_domain: z.string().max(300),
});

async function askForTokens(deps: OauthDeps, form: Record<string, string>): Promise<Tokens> {
  const response = await deps.send({
    service: 'pipedrive',
    method: 'POST',
    url: `${deps.settings.oauthUrl}/oauth/token`,
    headers: formHeaders(deps.settings),
    body: new URLSearchParams(form).toString(),
    maxBytes: 200_000,
  });
  if (response.status !== 200) throw tokenFailure(response, form.grant_type === 'refresh_token');
  const parsed = tokenShape.safeParse(response.json);
  if (!parsed.success) throw new UpstreamError('pipedrive', 'unknown', { status: 200, reason: 'token_answer' });
  const apiDomain = checkedApiDomain(parsed.data.api_domain, deps.settings.apiUrl !== null);
  return {
    accessToken: parsed.data.access_token,
    refreshToken: parsed.data.refresh_token,
    expiresIn: parsed.data.expires_in,
    scope: parsed.data.scope,
    apiDomain,
  };
}

function tokenFailure(response: IncomingResponse, refreshing: boolean): UpstreamError {
  const { status } = response;
  if (status >= 500 || status === 429) return new UpstreamError('pipedrive', 'retry', { status, reason: 'oauth' });
  const body = response.json as { error?: unknown; message?: unknown } | null | undefined;
  const words = [body?.error, body?.message]
    .filter((part) => typeof part === 'string')
    .join(' ')
    .toLowerCase()
    .replaceAll('_', ' ');
  if (words.includes('invalid grant')) {
    return new UpstreamError('pipedrive', refreshing ? 'reconnect' : 'refused', { status, reason: 'invalid_grant' });
  }
  return new UpstreamError('pipedrive', 'refused', { status, reason: 'oauth_refused' });
}

/** Where the company's API is. Anything but https on a host of pipedrive.com is refused: our token would go there (O-17). */
function checkedApiDomain(value: string, replaced: boolean): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const sound =
    url !== undefined &&
    url.protocol === 'https:' &&
    url.port === '' &&
    url.username === '' &&
    /^[a-z0-9-]+(\.[a-z0-9-]+)*\.pipedrive\.com$/.test(url.hostname);
  if (sound) return url.origin;
  if (replaced && url) return url.origin;
  throw new UpstreamError('pipedrive', 'refused', { reason: 'api_domain' });
}

function formHeaders(settings: OauthSettings): Record<string, string> {
  const basic = Buffer.from(`${settings.clientId}:${settings.clientSecret}`).toString('base64');
  return {
    authorization: `Basic ${basic}`,
    'content-type': 'application/x-www-form-urlencoded',
    accept: 'application/json',
  };
}
