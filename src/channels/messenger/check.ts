// Whether a Page can be worked with: its token, what the token allows, the webhook subscription, other apps on the Page.
import { z } from 'zod';
import { UpstreamError } from '../../base/errors.ts';
import type { ChannelAccess, ChannelCheck } from '../provider.ts';
import { tokenReason } from './errors.ts';
import { graph } from './graph.ts';
import { needed, subscribe, subscribedFields } from './login.ts';
import type { MessengerDeps } from './settings.ts';

const tokenShape = z.object({
  data: z.object({
    is_valid: z.boolean(),
    /** Seconds; 0 for never. */
    expires_at: z.number().optional(),
    data_access_expires_at: z.number().optional(),
    scopes: z.array(z.string()).default([]),
    /** Without `target_ids` a scope holds for every Page. */
    granular_scopes: z
      .array(z.object({ scope: z.string(), target_ids: z.array(z.coerce.string()).optional() }))
      .default([]),
    error: z.object({ code: z.number().optional(), subcode: z.number().optional() }).optional(),
  }),
});
const appsShape = z.object({
  data: z.array(
    z.object({
      id: z.coerce.string(),
      name: z.string().default(''),
      subscribed_fields: z.array(z.string()).default([]),
    }),
  ),
});

/** Facebook does not tell of dead tokens (Debugging access tokens), nor that it unsubscribed a Page (Webhooks): one must ask. */
export async function checkPage(deps: MessengerDeps, channel: ChannelAccess): Promise<ChannelCheck> {
  const { pageToken = '' } = channel.credentials;
  // Wiped when the person removed the app.
  if (pageToken === '') {
    return { dead: 'token_app_removed', endsAt: null, missing: [], webhook: 'off', otherApps: [] };
  }
  const { data: token } = tokenShape.parse(
    await graph(deps, {
      method: 'GET',
      path: 'debug_token',
      token: `${deps.appId}|${deps.appSecret}`,
      query: { input_token: pageToken },
    }),
  );
  if (!token.is_valid) {
    const dead = tokenReason(token.error?.subcode ?? null);
    return { dead, endsAt: null, missing: [], webhook: 'off', otherApps: [] };
  }
  const granted = (permission: string): boolean => {
    const granular = token.granular_scopes.find(({ scope }) => scope === permission);
    if (granular?.target_ids) return granular.target_ids.includes(channel.address);
    return token.scopes.includes(permission);
  };
  const apps = await installedApps(deps, channel, pageToken);
  return {
    dead: null,
    endsAt: endOf(token),
    missing: needed.filter((permission) => !granted(permission)),
    webhook: await keepSubscribed(deps, channel, pageToken, apps),
    otherApps: (apps ?? []).filter(({ id }) => id !== deps.appId).map(({ id, name }) => name || id),
  };
}

function endOf(token: z.infer<typeof tokenShape>['data']): string | null {
  const ends = [token.expires_at, token.data_access_expires_at].filter((end) => end !== undefined && end > 0);
  return ends.length === 0 ? null : new Date(Math.min(...(ends as number[])) * 1_000).toISOString();
}

/** Undefined when we may not read them. */
async function installedApps(
  deps: MessengerDeps,
  channel: ChannelAccess,
  token: string,
): Promise<z.infer<typeof appsShape>['data'] | undefined> {
  try {
    const path = `${channel.address}/subscribed_apps`;
    return appsShape.parse(await graph(deps, { method: 'GET', path, token })).data;
  } catch (error) {
    if (error instanceof UpstreamError && error.kind === 'refused') return undefined;
    throw error;
  }
}

/** After an hour of unanswered webhooks Meta unsubscribes a Page: then it is subscribed again. */
async function keepSubscribed(
  deps: MessengerDeps,
  channel: ChannelAccess,
  token: string,
  apps: z.infer<typeof appsShape>['data'] | undefined,
): Promise<ChannelCheck['webhook']> {
  const ours = apps?.find(({ id }) => id === deps.appId);
  if (ours && subscribedFields.every((field) => ours.subscribed_fields.includes(field))) return 'set';
  try {
    await subscribe(deps, { id: channel.address, token });
    return 'restored';
  } catch (error) {
    if (error instanceof UpstreamError && error.kind === 'refused') return 'off';
    throw error;
  }
}
