// Meta's own HTTP calls: events in its escaped JSON, signed over the bytes, in order per Page, repeated when refused.
import { createHmac } from 'node:crypto';
import type { MetaDelivery, MetaPage, MetaState } from './state.ts';

/** JSON as Meta writes it: `/` as `\/`, everything beyond ASCII as lower-case `\uXXXX` (Webhooks: validating payloads). */
export function escapedJson(value: unknown): string {
  return JSON.stringify(value)
    .replaceAll('/', '\\/')
    .replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

export function signature(appSecret: string, raw: string | Buffer): string {
  return `sha256=${createHmac('sha256', appSecret).update(raw).digest('hex')}`;
}

/** `signed_request` of the deauthorize and data-deletion callbacks: signed over the still-encoded payload. */
export function signedRequest(appSecret: string, payload: object): string {
  const encoded = Buffer.from(JSON.stringify(payload)).toString('base64url');
  return `${createHmac('sha256', appSecret).update(encoded).digest('base64url')}.${encoded}`;
}

/** Tells the app of an event, if its field is subscribed on this Page. Null: nobody was told. */
export async function emit(
  state: MetaState,
  page: MetaPage,
  field: string,
  event: object,
): Promise<MetaDelivery | null> {
  const fields = page.subscribedFields ?? [];
  const list = page.ownedByOtherApp ? 'standby' : 'messaging';
  if (!fields.includes(list === 'standby' ? 'standby' : field)) return null;
  if (state.batch) {
    state.batch.push({ page, list, event });
    return null;
  }
  return inOrder(state, page.id, () => post(state, bodyOf(state, [{ page, list, event }])));
}

/** Everything that happens during the work is told in one body. */
export async function inOneBody(state: MetaState, work: () => Promise<unknown>): Promise<MetaDelivery | null> {
  state.batch = [];
  try {
    await work();
  } finally {
    const held = state.batch;
    state.batch = null;
    if (held.length > 0) await post(state, bodyOf(state, held));
  }
  return state.webhooks.at(-1) ?? null;
}

function bodyOf(state: MetaState, events: readonly { page: MetaPage; list: string; event: object }[]): string {
  const entries: { id: string; time: number; [list: string]: unknown }[] = [];
  for (const { page, list, event } of events) {
    const last = entries.at(-1);
    const held = last?.id === page.id ? (last[list] as object[] | undefined) : undefined;
    if (held) held.push(event);
    else entries.push({ id: page.id, time: state.now(), [list]: [event] });
  }
  return escapedJson({ object: 'page', entry: entries });
}

/** One after the other per key; a failure does not hold up the next. */
export function inOrder<T>(state: MetaState, key: string, work: () => Promise<T>): Promise<T> {
  const before = state.queues.get(key) ?? Promise.resolve();
  const after = before.then(work, work);
  state.queues.set(key, after);
  return after;
}

/** Posts these bytes, with the right signature unless told otherwise. */
export async function post(state: MetaState, raw: string, signed?: string | null): Promise<MetaDelivery> {
  const delivery: MetaDelivery = { raw, attempts: [], answer: '' };
  state.webhooks.push(delivery);
  const header = signed === undefined ? signature(state.app.secret, raw) : signed;
  for (let attempt = 0; attempt <= state.options.webhookRetries && !state.stopped; attempt += 1) {
    const { status, text } = await postOnce(`${state.appUrl()}/webhooks/messenger`, raw, header);
    delivery.attempts.push(status);
    delivery.answer = text;
    if (status === 200) break;
    await new Promise((resolve) => setTimeout(resolve, 20 * 2 ** attempt));
  }
  state.changed();
  return delivery;
}

async function postOnce(url: string, raw: string, header: string | null): Promise<{ status: number; text: string }> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': 'facebookexternalua',
        ...(header === null ? {} : { 'x-hub-signature-256': header }),
      },
      body: raw,
      signal: AbortSignal.timeout(5_000),
    });
    return { status: response.status, text: await response.text() };
  } catch {
    return { status: 0, text: '' };
  }
}
