// Twilio's own HTTP calls: signing them and repeating them as the fragment of the address asks (Webhooks: security; connection overrides).
import { createHmac, randomUUID } from 'node:crypto';
import type { TwilioState, WebhookDelivery } from './state.ts';

/** `X-Twilio-Signature`: the address without fragment and user, then names and values in byte order, SHA-1, Base64. */
export function sign(url: string, params: Readonly<Record<string, string>>, authToken: string): string {
  const data = Object.keys(params)
    .sort()
    .reduce((text, name) => text + name + params[name], addressToSign(url));
  return createHmac('sha1', authToken).update(data, 'utf8').digest('base64');
}

function addressToSign(url: string): string {
  return url.replace(/#.*$/, '').replace(/^(https?:\/\/)[^/?#]*@/, '$1');
}

interface Overrides {
  retries: number;
  policy: string[];
  readMs: number;
  totalMs: number;
}

function overridesOf(url: string): Overrides {
  const fragment = new URLSearchParams(/#(.*)$/.exec(url)?.[1] ?? '');
  const number = (name: string, least: number, most: number, usual: number) => {
    const value = Number(fragment.get(name) ?? usual);
    return Number.isFinite(value) ? Math.min(most, Math.max(least, value)) : usual;
  };
  return {
    retries: number('rc', 0, 5, 1),
    policy: (fragment.get('rp') ?? 'ct').split(','),
    readMs: number('rt', 100, 15_000, 15_000),
    totalMs: number('tt', 100, 15_000, 15_000),
  };
}

export interface Posting {
  url: string;
  params: Record<string, string>;
  authToken: string;
  /** Replaces the right signature, for tests of a wrong one; null leaves it out. */
  signature?: string | null;
}

/** Posts one webhook, with as many repeats as the address allows. */
export async function post(state: TwilioState, posting: Posting): Promise<WebhookDelivery> {
  const overrides = overridesOf(posting.url);
  const delivery: WebhookDelivery = { url: posting.url, params: posting.params, attempts: [], answer: '' };
  state.webhooks.push(delivery);
  const token = randomUUID();
  const endsAt = Date.now() + overrides.totalMs;
  for (let attempt = 0; attempt <= overrides.retries && !state.stopped; attempt += 1) {
    const { outcome, status, text } = await attemptPost(posting, token, overrides);
    delivery.attempts.push(status);
    delivery.answer = text;
    if (outcome === 'ok' || !mayRepeat(overrides.policy, outcome) || Date.now() > endsAt) break;
    await new Promise((resolve) => setTimeout(resolve, 20 * 2 ** attempt));
  }
  state.changed();
  return delivery;
}

type Outcome = 'ok' | '4xx' | '5xx' | 'ct' | 'rt';

function mayRepeat(policy: readonly string[], outcome: Outcome): boolean {
  return policy.includes('all') || policy.includes(outcome);
}

async function attemptPost(
  { url, params, authToken, signature }: Posting,
  idempotencyToken: string,
  overrides: Overrides,
): Promise<{ outcome: Outcome; status: number; text: string }> {
  const target = new URL(url.replace(/#.*$/, ''));
  const basic = target.username ? `${target.username}:${target.password}` : null;
  target.username = '';
  target.password = '';
  const signed = signature === undefined ? sign(url, params, authToken) : signature;
  try {
    const response = await fetch(target, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded; charset=UTF-8',
        'user-agent': 'TwilioProxy/1.1',
        accept: '*/*',
        'i-twilio-idempotency-token': idempotencyToken,
        ...(signed === null ? {} : { 'x-twilio-signature': signed }),
        ...(basic === null ? {} : { authorization: `Basic ${Buffer.from(basic).toString('base64')}` }),
      },
      body: new URLSearchParams(params).toString(),
      redirect: 'manual',
      signal: AbortSignal.timeout(overrides.readMs),
    });
    const text = await response.text();
    const outcome = response.status < 400 ? 'ok' : response.status < 500 ? '4xx' : '5xx';
    return { outcome, status: response.status, text };
  } catch (error) {
    return { outcome: isTimeout(error) ? 'rt' : 'ct', status: 0, text: '' };
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === 'TimeoutError';
}
