// The browser's ways in: install and sign-in through Pipedrive, uninstall from Pipedrive, and back from Facebook.
import type { Context } from 'koa';
import { z } from 'zod';
import { randomToken, sameSecret } from '../base/crypto.ts';
import { finishInstall, startInstall, uninstall, type InstallDeps, type InstallOutcome } from '../companies/install.ts';
import { finishMessengerLogin } from '../inbox/connect-messenger.ts';
import type { ConnectDeps } from '../inbox/connect.ts';
import { browserLanguage, renderPage, type Page } from './pages.ts';

export interface OauthRouteDeps {
  readonly install: InstallDeps;
  readonly connect: ConnectDeps;
  readonly publicUrl: string;
}

/** Cookies are named so that only this very host over https can set them, wherever that is possible. */
function cookieName(publicUrl: string, name: string): string {
  return publicUrl.startsWith('https:') ? `__Host-${name}` : name;
}

const browserCookie = 'browser';
export const sessionCookie = 'session';

function setCookie(ctx: Context, publicUrl: string, name: string, value: string, maxAgeSeconds: number): void {
  const secure = publicUrl.startsWith('https:') ? '; Secure' : '';
  const cookie = `${cookieName(publicUrl, name)}=${value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${maxAgeSeconds}${secure}`;
  ctx.append('Set-Cookie', cookie);
}

export function readCookie(ctx: Context, publicUrl: string, name: string): string | undefined {
  const wanted = `${cookieName(publicUrl, name)}=`;
  const found = ctx
    .get('cookie')
    .split(';')
    .map((part) => part.trim())
    .find((part) => part.startsWith(wanted));
  return found?.slice(wanted.length) || undefined;
}

/** The value that binds a state to this browser; made when there is none. */
export function bindBrowser(ctx: Context, publicUrl: string): string {
  const known = readCookie(ctx, publicUrl, browserCookie);
  const value = known && /^[\w-]{43}$/.test(known) ? known : randomToken();
  setCookie(ctx, publicUrl, browserCookie, value, 3_600);
  return value;
}

export async function install(deps: OauthRouteDeps, ctx: Context): Promise<void> {
  const browser = bindBrowser(ctx, deps.publicUrl);
  ctx.redirect(await startInstall(deps.install, { next: ctx.query.next, browser }));
}

export async function installCallback(deps: OauthRouteDeps, ctx: Context): Promise<void> {
  const { code, state, error } = ctx.query;
  const browser = readCookie(ctx, deps.publicUrl, browserCookie);
  const result = await finishInstall(deps.install, { code, state, error, browser });
  if (result.outcome === 'installed') {
    const seconds = Math.floor((Date.parse(result.session.expiresAt) - deps.install.clock.now().getTime()) / 1_000);
    setCookie(ctx, deps.publicUrl, sessionCookie, result.session.token, seconds);
    ctx.redirect(result.next);
    return;
  }
  showPage(ctx, installFailureStatus[result.outcome], {
    key: `install.${result.outcome}`,
    action: { href: '/install', key: 'page.tryAgain' },
  });
}

const installFailureStatus: Readonly<Record<Exclude<InstallOutcome['outcome'], 'installed'>, number>> = {
  bad_state: 400,
  denied: 403,
  code_refused: 400,
  wrong_company: 403,
  upstream: 502,
};

const uninstallBody = z.object({
  client_id: z.string(),
  company_id: z.union([z.number().int(), z.string().regex(/^\d{1,20}$/)]).transform(String),
  user_id: z.union([z.number().int(), z.string().regex(/^\d{1,20}$/)]).transform(String),
});

/** Pipedrive's uninstall notice: Basic auth with our own client id and secret (App uninstallation). */
export async function uninstallCallback(deps: OauthRouteDeps, ctx: Context, body: unknown): Promise<void> {
  const { clientId, clientSecret } = deps.install.settings;
  const parsed = uninstallBody.safeParse(body);
  const authorised = sameSecret(ctx.get('authorization'), basicHeader(clientId, clientSecret));
  if (!authorised || (parsed.success && parsed.data.client_id !== clientId)) {
    ctx.status = 401;
    ctx.set('WWW-Authenticate', 'Basic');
    ctx.body = { success: false };
    return;
  }
  if (!parsed.success) {
    ctx.status = 400;
    ctx.body = { success: false };
    return;
  }
  await uninstall(deps.install, { companyId: parsed.data.company_id, userId: parsed.data.user_id });
  ctx.status = 200;
  ctx.body = { success: true };
}

function basicHeader(id: string, secret: string): string {
  return `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
}

export async function messengerCallback(deps: OauthRouteDeps, ctx: Context): Promise<void> {
  const { code, state, error } = ctx.query;
  const browser = readCookie(ctx, deps.publicUrl, browserCookie);
  const result = await finishMessengerLogin(deps.connect, { code, state, error, browser });
  const status = { ready: 200, bad_state: 400, denied: 403, failed: 502, permissions_missing: 403 }[result.outcome];
  const values: Record<string, string> =
    result.outcome === 'permissions_missing' ? { permissions: result.permissions } : {};
  showPage(ctx, status, { key: `login.${result.outcome}`, values });
}

export function showPage(ctx: Context, status: number, page: Page): void {
  const { nonce = '' } = ctx.state as { nonce?: string };
  ctx.status = status;
  ctx.type = 'text/html; charset=utf-8';
  ctx.set('Cache-Control', 'no-store');
  ctx.body = renderPage(browserLanguage(ctx.get('accept-language')), nonce, page);
}
