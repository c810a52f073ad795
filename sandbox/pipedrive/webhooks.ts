// Webhooks v2: subscriptions over the API, and deliveries with Basic auth, tried again as the vendor does (dossier section 4).
import { randomUUID } from 'node:crypto';
import { Refusal, type ApiCall, type Endpoint } from './api.ts';
import { newId, type State, type Webhook } from './state.ts';

const scopes = ['admin', 'webhooks:full', 'webhooks:read'];
const actions = ['create', 'change', 'delete', '*'];
const objects = [
  'activity',
  'deal',
  'lead',
  'note',
  'organization',
  'person',
  'pipeline',
  'product',
  'stage',
  'user',
  '*',
];
const mostPerUser = 40;
/** Waits before the second, third and fourth try. */
const triesMs = [3_000, 30_000, 150_000];

export interface Happened {
  action: 'create' | 'change' | 'delete';
  entity: 'note' | 'person' | 'deal' | 'lead';
  id: number | string;
  companyId: number;
  userId: number | null;
  source: 'app' | 'api';
  data: object | null;
  previous: object | null;
  mergedTo?: number;
  mergedFrom?: number;
}

export function webhookEndpoints(state: State): Endpoint[] {
  const own = ({ grant }: ApiCall): Webhook[] =>
    state.webhooks.filter((hook) => hook.companyId === grant.companyId && hook.userId === grant.userId);
  return [
    {
      method: 'GET',
      path: '/api/v1/webhooks',
      cost: 10,
      scopes,
      run: (call) => ({ body: { status: 'ok', success: true, data: own(call).map(shape) } }),
    },
    {
      method: 'POST',
      path: '/api/v1/webhooks',
      cost: 10,
      scopes: ['admin', 'webhooks:full'],
      body: {
        subscription_url: 'string',
        event_action: 'string',
        event_object: 'string',
        name: 'string',
        user_id: 'integer',
        http_auth_user: 'string',
        http_auth_password: 'string',
        version: 'string',
      },
      required: ['subscription_url', 'event_action', 'event_object', 'name'],
      run: (call) => {
        const body = call.body as Record<string, string>;
        const faulty = (field: string, words: string) => new Refusal(400, words, { errors: { [field]: [words] } });
        if (!/^https?:\/\/[^/]+/.test(body.subscription_url!))
          throw faulty('subscription_url', 'invalid or non-reachable URL');
        if (!actions.includes(body.event_action!)) throw faulty('event_action', 'unknown action');
        if (!objects.includes(body.event_object!)) throw faulty('event_object', 'unknown object');
        if (own(call).length >= mostPerUser) throw new Refusal(422, 'Webhook limit reached');
        const hook: Webhook = {
          id: newId(state),
          companyId: call.grant.companyId,
          userId: call.grant.userId,
          url: body.subscription_url!,
          action: body.event_action!,
          object: body.event_object!,
          name: body.name!,
          user: body.http_auth_user ?? null,
          password: body.http_auth_password ?? null,
        };
        state.webhooks.push(hook);
        return { status: 201, body: { status: 'ok', success: true, data: shape(hook) } };
      },
    },
    {
      method: 'DELETE',
      path: '/api/v1/webhooks/:id',
      cost: 6,
      scopes: ['admin', 'webhooks:full'],
      run: (call) => {
        const hook = own(call).find(({ id }) => String(id) === call.params.id);
        if (!hook) throw new Refusal(404, 'Webhook not found');
        state.webhooks = state.webhooks.filter((other) => other !== hook);
        return { body: { status: 'ok', success: true } };
      },
    },
  ];
}

function shape(hook: Webhook): object {
  return {
    id: hook.id,
    company_id: hook.companyId,
    owner_id: hook.userId,
    user_id: hook.userId,
    event_action: hook.action,
    event_object: hook.object,
    subscription_url: hook.url,
    version: '2.0',
    is_active: 1,
    type: 'application',
    http_auth_user: hook.user,
    http_auth_password: hook.password,
    name: hook.name,
    remove_time: null,
    remove_reason: null,
  };
}

/** Tells every subscriber. Deliveries run beside the call that caused them; `settled` waits for those under way. */
export function emit(state: State, happened: Happened): void {
  const hooks = state.webhooks.filter(
    (hook) =>
      hook.companyId === happened.companyId &&
      (hook.object === '*' || hook.object === happened.entity) &&
      (hook.action === '*' || hook.action === happened.action),
  );
  for (const hook of hooks) {
    if (state.webhooksDown) continue;
    const delivery = deliver(state, hook, bodyOf(state, hook, happened), 1).finally(() =>
      state.deliveries.delete(delivery),
    );
    state.deliveries.add(delivery);
  }
}

function bodyOf(state: State, hook: Webhook, happened: Happened): Record<string, unknown> & { meta: object } {
  return {
    meta: {
      action: happened.action,
      entity: happened.entity,
      entity_id: String(happened.id),
      company_id: String(happened.companyId),
      user_id: happened.userId === null ? null : String(happened.userId),
      id: randomUUID(),
      correlation_id: randomUUID(),
      timestamp: new Date(state.now()).toISOString(),
      type: 'application',
      version: '2.0',
      webhook_id: String(hook.id),
      webhook_owner_id: String(hook.userId),
      change_source: happened.source,
      is_bulk_edit: false,
      attempt: 1,
      permitted_user_ids: state.users.filter((user) => user.companyId === hook.companyId).map(({ id }) => String(id)),
      ...(happened.mergedTo === undefined ? {} : { merged_to_id: String(happened.mergedTo) }),
      ...(happened.mergedFrom === undefined ? {} : { merged_from_id: String(happened.mergedFrom) }),
    },
    data: happened.data,
    previous: happened.previous,
  };
}

async function deliver(
  state: State,
  hook: Webhook,
  body: Record<string, unknown> & { meta: object },
  attempt: number,
): Promise<void> {
  const authorization = `Basic ${Buffer.from(`${hook.user ?? ''}:${hook.password ?? ''}`).toString('base64')}`;
  const status = await fetch(hook.url, {
    method: 'POST',
    redirect: 'manual',
    headers: { 'content-type': 'application/json', ...(hook.user === null ? {} : { authorization }) },
    body: JSON.stringify({ ...body, meta: { ...body.meta, attempt } }),
    signal: AbortSignal.timeout(10_000),
  }).then(
    (answer) => answer.status,
    () => 0,
  );
  state.delivered.push({ hookId: hook.id, body, status });
  const wait = triesMs[attempt - 1];
  if ((status >= 200 && status < 300) || wait === undefined) return;
  setTimeout(() => {
    if (state.webhooks.includes(hook)) void deliver(state, hook, body, attempt + 1);
  }, wait).unref();
}
