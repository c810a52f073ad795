// A thin Graph client: versioned paths, the token in a header, its proof beside it, failures by code and subcode.
import { hmac } from '../../base/crypto.ts';
import { UpstreamError } from '../../base/errors.ts';
import type { MessengerDeps } from './settings.ts';
import { graphFailure } from './errors.ts';

export interface GraphCall {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** After the version, e.g. `me/accounts`. */
  readonly path: string;
  readonly token?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  /** Instead of `json`. */
  readonly body?: { readonly contentType: string; readonly bytes: Uint8Array };
  readonly timeoutMs?: number;
}

/** The answer's JSON object. Throws UpstreamError; an answer that is no JSON leaves a send's outcome unknown. */
export async function graph(deps: MessengerDeps, call: GraphCall): Promise<Record<string, unknown>> {
  const url = new URL(`${deps.graphUrl}/${deps.graphVersion}/${call.path}`);
  for (const [name, value] of Object.entries(call.query ?? {})) url.searchParams.set(name, value);
  if (call.token) url.searchParams.set('appsecret_proof', proof(deps.appSecret, call.token));
  const response = await deps.send({
    service: 'meta',
    method: call.method,
    url: url.href,
    headers: {
      ...(call.token ? { authorization: `Bearer ${call.token}` } : {}),
      ...(call.body ? { 'content-type': call.body.contentType } : {}),
      ...(call.json === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(call.body ? { body: call.body.bytes } : {}),
    ...(call.json === undefined ? {} : { body: JSON.stringify(call.json) }),
    ...(call.timeoutMs === undefined ? {} : { timeoutMs: call.timeoutMs }),
  });
  const body = response.json;
  const isObject = typeof body === 'object' && body !== null && !Array.isArray(body);
  if (response.status >= 400 || (isObject && 'error' in body)) throw graphFailure(response, call.method);
  if (!isObject) {
    throw new UpstreamError('meta', call.method === 'GET' ? 'retry' : 'unknown', {
      status: response.status,
      reason: 'not_json',
    });
  }
  return body as Record<string, unknown>;
}

/** `appsecret_proof` (Graph API: require app secret). */
function proof(appSecret: string, token: string): string {
  return hmac('sha256', appSecret, token).toString('hex');
}
