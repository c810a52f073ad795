// Facebook Login, the Pages it gives, and their webhook subscriptions (Manually Build a Login Flow; Page Subscribed Apps).
import { z } from 'zod';
import { UpstreamError } from '../../base/errors.ts';
import type { ChannelAccess, MessengerPage } from '../provider.ts';
import { graph } from './graph.ts';
import type { MessengerDeps } from './settings.ts';

export const needed = ['pages_show_list', 'pages_messaging', 'pages_manage_metadata', 'pages_read_engagement'];
/** Without it, Pages of a business portfolio are missing from the list; asked for, not demanded. */
const wanted = [...needed, 'business_management'];
export const subscribedFields = [
  'messages',
  'messaging_postbacks',
  'message_deliveries',
  'message_reads',
  'message_echoes',
  'message_reactions',
  'message_edits',
  'messaging_referrals',
  'messaging_optins',
  'messaging_handovers',
  'standby',
  'messaging_policy_enforcement',
];
const maxPages = 40;

function redirectUri(deps: Pick<MessengerDeps, 'publicUrl'>): string {
  return `${deps.publicUrl}/oauth/meta/callback`;
}

export function authorizeUrl(deps: MessengerDeps, state: string): string {
  const url = new URL(`${deps.loginUrl}/${deps.graphVersion}/dialog/oauth`);
  url.searchParams.set('client_id', deps.appId);
  url.searchParams.set('redirect_uri', redirectUri(deps));
  url.searchParams.set('state', state);
  url.searchParams.set('response_type', 'code');
  if (deps.loginConfigId === null) url.searchParams.set('scope', wanted.join(','));
  else url.searchParams.set('config_id', deps.loginConfigId);
  return url.href;
}

const tokenShape = z.object({ access_token: z.string().min(1) });
const permissionsShape = z.object({ data: z.array(z.object({ permission: z.string(), status: z.string() })) });
const pagesShape = z.object({
  data: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      access_token: z.string().optional(),
      tasks: z.array(z.string()).optional(),
    }),
  ),
  paging: z
    .object({ cursors: z.object({ after: z.string() }).partial().optional(), next: z.string().optional() })
    .optional(),
});

export async function finishLogin(
  deps: MessengerDeps,
  code: string,
): Promise<{ facebookUserId: string; pages: MessengerPage[] }> {
  const secrets = { client_id: deps.appId, client_secret: deps.appSecret };
  const short = tokenShape.parse(
    await graph(deps, {
      method: 'GET',
      path: 'oauth/access_token',
      query: { ...secrets, redirect_uri: redirectUri(deps), code },
    }),
  );
  const long = tokenShape.parse(
    await graph(deps, {
      method: 'GET',
      path: 'oauth/access_token',
      query: { ...secrets, grant_type: 'fb_exchange_token', fb_exchange_token: short.access_token },
    }),
  );
  const token = long.access_token;
  const me = z
    .object({ id: z.string() })
    .parse(await graph(deps, { method: 'GET', path: 'me', token, query: { fields: 'id,name' } }));
  await requirePermissions(deps, token);
  return { facebookUserId: me.id, pages: await allPages(deps, token) };
}

async function requirePermissions(deps: MessengerDeps, token: string): Promise<void> {
  const { data } = permissionsShape.parse(await graph(deps, { method: 'GET', path: 'me/permissions', token }));
  const granted = new Set(data.filter(({ status }) => status === 'granted').map(({ permission }) => permission));
  const missing = needed.filter((permission) => !granted.has(permission));
  if (missing.length > 0)
    throw new UpstreamError('meta', 'refused', { reason: `permissions_missing:${missing.join(',')}` });
}

/** Every page of the list of Pages; 25 a page by default. */
async function allPages(deps: MessengerDeps, token: string): Promise<MessengerPage[]> {
  const found: MessengerPage[] = [];
  let after: string | undefined;
  for (let turn = 0; turn < maxPages; turn += 1) {
    const answer = pagesShape.parse(
      await graph(deps, {
        method: 'GET',
        path: 'me/accounts',
        token,
        query: { fields: 'id,name,access_token,tasks,category', limit: '100', ...(after ? { after } : {}) },
      }),
    );
    for (const page of answer.data) found.push(pageOf(page));
    after = answer.paging?.next ? answer.paging.cursors?.after : undefined;
    if (after === undefined) break;
  }
  return found;
}

/** Sending needs the task MESSAGING; subscribing one of three (Webhooks and Subscribed Apps disagree: any will do). */
function pageOf(page: z.infer<typeof pagesShape>['data'][number]): MessengerPage {
  const tasks = page.tasks ?? ['MESSAGING', 'MANAGE'];
  const maySubscribe = ['CREATE_CONTENT', 'MANAGE', 'MODERATE'].some((task) => tasks.includes(task));
  const missing = !page.access_token ? 'token' : !tasks.includes('MESSAGING') || !maySubscribe ? 'tasks' : null;
  return { id: page.id, name: page.name, token: page.access_token ?? '', missing };
}

export async function subscribe(deps: MessengerDeps, page: { id: string; token: string }): Promise<void> {
  await graph(deps, {
    method: 'POST',
    path: `${page.id}/subscribed_apps`,
    token: page.token,
    query: { subscribed_fields: subscribedFields.join(',') },
  });
}

export async function unsubscribe(deps: MessengerDeps, channel: ChannelAccess): Promise<void> {
  await graph(deps, {
    method: 'DELETE',
    path: `${channel.address}/subscribed_apps`,
    token: channel.credentials.pageToken ?? '',
  });
}
