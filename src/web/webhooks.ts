// Webhooks in: verified over the raw bytes, stored, then acknowledged (C3, C4). Everything slow happens afterwards.
import type { IncomingMessage } from 'node:http';
import type { Context } from 'koa';
import { timeText, type Clock } from '../base/clock.ts';
import type { Vault } from '../base/crypto.ts';
import { newId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import type { Provider, Providers, WebhookRequest } from '../channels/provider.ts';
import type { Database } from '../db/database.ts';
import { Job, type ChannelRow } from '../db/tables.ts';
import { accessOf } from '../inbox/deps.ts';
import { findChannel, ingest } from '../inbox/ingest.ts';
import type { Queue } from '../jobs/queue.ts';

export interface WebhookDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly vault: Vault;
  readonly queue: Queue;
  readonly providers: Providers;
}

const maxBytes = 1_048_576;
const bodyMs = 10_000;
/** Meta wants its answer within 5 s. What is stored after all is known by its id when it comes again. */
const storeMs = 3_500;
const emptyTwiml = '<?xml version="1.0" encoding="UTF-8"?><Response></Response>';

export async function receiveMessenger(deps: WebhookDeps, ctx: Context): Promise<void> {
  const provider = deps.providers.messenger;
  if (!provider) return void (ctx.status = 404);
  const request = await readRequest(deps, ctx, 'messenger');
  if (!request) return;
  if (!provider.verify(request, null)) return refuse(deps, ctx, 'messenger');
  await store(deps, ctx, 'messenger', request, () => {
    ctx.status = 200;
    ctx.type = 'text/plain';
    ctx.body = 'EVENT_RECEIVED';
  });
}

/** Meta's check when the address is entered in its dashboard. */
export function checkMessenger(deps: WebhookDeps, ctx: Context): void {
  const challenge = deps.providers.messenger?.handshake(ctx.query) ?? null;
  ctx.set('X-Content-Type-Options', 'nosniff');
  ctx.type = 'text/plain';
  ctx.status = challenge === null ? 403 : 200;
  ctx.body = challenge ?? 'forbidden';
}

export async function receiveTwilio(deps: WebhookDeps, ctx: Context): Promise<void> {
  const type = ctx.get('content-type').split(';')[0]!.trim().toLowerCase();
  if (type !== 'application/x-www-form-urlencoded') return void (ctx.status = 415);
  const provider = deps.providers.whatsapp;
  const request = await readRequest(deps, ctx, 'whatsapp');
  if (!request) return;
  const claim = provider.claim(request);
  if (!claim) return refuse(deps, ctx, 'whatsapp');
  const channel = await deps.db.read((reader) => findChannel(reader, 'whatsapp', claim.account, claim.address));
  if (!channel) {
    // A number of a known account that we do not serve: proven by that account's token, then acknowledged and left.
    const known = await verifiedByAccount(deps, provider, request, claim.account);
    if (!known) return refuse(deps, ctx, 'whatsapp');
    deps.metrics.webhooks.inc({ provider: 'whatsapp', outcome: 'unknown_number' });
    deps.log.info('a webhook for an unknown number of a known account');
    return acknowledgeTwilio(ctx);
  }
  if (!isGenuine(deps, provider, request, channel)) return refuse(deps, ctx, 'whatsapp');
  await store(deps, ctx, 'whatsapp', request, () => acknowledgeTwilio(ctx));
}

/** Never plain text: Twilio would send it to the customer as a message. */
function acknowledgeTwilio(ctx: Context): void {
  ctx.status = 200;
  ctx.type = 'text/xml';
  ctx.body = emptyTwiml;
}

function isGenuine(deps: WebhookDeps, provider: Provider, request: WebhookRequest, channel: ChannelRow): boolean {
  try {
    return provider.verify(request, accessOf(deps, channel).credentials);
  } catch (error) {
    deps.log.warn({ err: error, channelId: channel.id }, 'cannot open the credentials of a channel');
    return false;
  }
}

async function verifiedByAccount(
  deps: WebhookDeps,
  provider: Provider,
  request: WebhookRequest,
  account: string,
): Promise<boolean> {
  const channels = await deps.db.read((reader) =>
    reader.query<ChannelRow>(
      `select * from channel where provider = 'whatsapp' and account = ? and state <> 'disconnected'`,
      [account],
    ),
  );
  return channels.some((channel) => isGenuine(deps, provider, request, channel));
}

export async function readRequest(
  deps: WebhookDeps,
  ctx: Context,
  provider: string,
): Promise<WebhookRequest | undefined> {
  if (ctx.get('content-encoding') !== '' && ctx.get('content-encoding') !== 'identity') {
    ctx.status = 415;
    return undefined;
  }
  const body = Number(ctx.get('content-length') || 0) > maxBytes ? 'too_large' : await readBody(ctx.req);
  if (Buffer.isBuffer(body)) return { body, headers: ctx.req.headers, pathAndQuery: ctx.req.url ?? '' };
  deps.metrics.webhooks.inc({ provider, outcome: body });
  ctx.status = body === 'too_large' ? 413 : 408;
  // What is left of the body is not read: the connection ends with the answer.
  ctx.set('Connection', 'close');
  return undefined;
}

function readBody(request: IncomingMessage): Promise<Buffer | 'too_large' | 'too_slow'> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let size = 0;
    const finish = (result: Buffer | 'too_large' | 'too_slow'): void => {
      clearTimeout(timer);
      if (!Buffer.isBuffer(result)) request.pause();
      resolve(result);
    };
    const timer = setTimeout(() => finish('too_slow'), bodyMs);
    request.on('data', (part: Buffer) => {
      size += part.length;
      if (size > maxBytes) finish('too_large');
      else parts.push(part);
    });
    request.on('end', () => finish(Buffer.concat(parts)));
    request.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}

/** A wrong signature leaves no trace but a metric. */
function refuse(deps: WebhookDeps, ctx: Context, provider: string): void {
  deps.metrics.webhooks.inc({ provider, outcome: 'forbidden' });
  ctx.status = 403;
  ctx.body = '';
}

async function store(
  deps: WebhookDeps,
  ctx: Context,
  provider: 'messenger' | 'whatsapp',
  request: WebhookRequest,
  acknowledge: () => void,
): Promise<void> {
  const begun = performance.now();
  const payload = {
    provider,
    body: request.body.toString('base64'),
    pathAndQuery: request.pathAndQuery,
    receivedAt: timeText(deps.clock),
  };
  try {
    await inTime(deps.db.insertGrouped(Job, deps.queue.row(ingest, payload, newId())));
  } catch (error) {
    // Not stored, so not acknowledged: the provider is to try again (I-03).
    deps.metrics.webhooks.inc({ provider, outcome: 'not_stored' });
    deps.log.error({ err: error }, 'a webhook could not be stored');
    ctx.status = 503;
    ctx.set('Retry-After', '1');
    return;
  }
  deps.queue.wake();
  deps.metrics.webhooks.inc({ provider, outcome: 'stored' });
  deps.metrics.webhookSeconds.observe({ provider }, (performance.now() - begun) / 1_000);
  acknowledge();
}

async function inTime(stored: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('not stored in time')), storeMs);
  });
  try {
    await Promise.race([stored, late]);
  } finally {
    clearTimeout(timer);
  }
}
