// The one door for outgoing HTTP: time limits, size limits, no redirects, and failures as UpstreamError.
import type { LookupFunction } from 'node:net';
import { Agent, type Dispatcher, type FormData, request as undiciRequest } from 'undici';
import type { Metrics } from './metrics.ts';
import { UpstreamError, type Service, type UpstreamKind } from './errors.ts';

export interface OutgoingRequest {
  readonly service: Service;
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | FormData;
  readonly timeoutMs?: number;
  /** Largest answer taken, in bytes. */
  readonly maxBytes?: number;
  /** Connects to exactly the address that this gives, whatever the name says by then. */
  readonly lookup?: LookupFunction;
}

export interface IncomingResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** The body as JSON, or `undefined` when it is not JSON: a vendor's proxy may answer HTML at any time. */
  readonly json: unknown;
}

/** Sends one request. Resolves for every HTTP status; rejects with UpstreamError when no whole answer came. */
export type Send = (request: OutgoingRequest) => Promise<IncomingResponse>;

export interface HttpOptions {
  readonly metrics?: Metrics;
  /** Refuses a request before it leaves. Tests let through the sandbox's addresses only. */
  readonly mayCall?: (url: URL) => boolean;
}

export interface HttpDoor {
  readonly send: Send;
  /** Opens a download whose bytes are read by the caller; connects to exactly the address that `lookup` gives. */
  readonly download: (
    url: URL,
    headers: Readonly<Record<string, string>>,
    options: DownloadOptions,
  ) => Promise<Download>;
  readonly close: () => Promise<void>;
}

export interface DownloadOptions {
  readonly lookup: LookupFunction;
  readonly firstByteMs: number;
  readonly signal: AbortSignal;
}

export interface Download {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: AsyncIterable<Uint8Array>;
  /** Ends the connection, read or not. */
  readonly discard: () => Promise<void>;
}

const defaultTimeoutMs = 15_000;
const defaultMaxBytes = 5_000_000;

export function createHttp(options: HttpOptions = {}): HttpDoor {
  const agent = new Agent({ connect: { timeout: 5_000 }, keepAliveTimeout: 10_000, connections: 64 });
  const mayCall = options.mayCall ?? (() => true);

  const send: Send = async (request) => {
    const url = new URL(request.url);
    if (!mayCall(url)) throw new Error('this address may not be called');
    const signal = AbortSignal.timeout(request.timeoutMs ?? defaultTimeoutMs);
    const pinned = request.lookup && new Agent({ connect: { lookup: request.lookup, timeout: 5_000 } });
    try {
      const answer = await undiciRequest(url, {
        dispatcher: pinned ?? agent,
        method: request.method,
        headers: { 'user-agent': 'messaging-inbox', ...request.headers },
        body: request.body ?? null,
        signal,
      });
      const body = await readAll(answer.body, request.maxBytes ?? defaultMaxBytes);
      options.metrics?.upstream.inc({ service: request.service, outcome: String(answer.statusCode) });
      return { status: answer.statusCode, headers: flatten(answer.headers), body, json: parseJson(body) };
    } catch (error) {
      const kind = networkFailure(error, request.method);
      options.metrics?.upstream.inc({ service: request.service, outcome: kind });
      throw new UpstreamError(request.service, kind, { reason: networkReason(error), cause: error });
    } finally {
      await pinned?.destroy();
    }
  };

  const download: HttpDoor['download'] = async (url, headers, wanted) => {
    const once = new Agent({
      connect: { lookup: wanted.lookup, timeout: wanted.firstByteMs },
      headersTimeout: wanted.firstByteMs,
    });
    const answer = await undiciRequest(url, { dispatcher: once, method: 'GET', headers, signal: wanted.signal }).catch(
      async (error: unknown) => {
        await once.destroy();
        throw error;
      },
    );
    return {
      status: answer.statusCode,
      headers: flatten(answer.headers),
      body: answer.body as AsyncIterable<Uint8Array>,
      discard: async () => {
        answer.body.on('error', () => undefined).destroy();
        await once.destroy();
      },
    };
  };

  return { send, download, close: () => agent.destroy() };
}

/** The usual reading of an HTTP status. A vendor's folder refines it where its own codes say more. */
export function upstreamFailure(
  service: Service,
  response: IncomingResponse,
  method: OutgoingRequest['method'],
  facts: { providerCode?: string; reason?: string } = {},
): UpstreamError {
  const { status } = response;
  const retryAfterMs = retryAfter(response.headers);
  return new UpstreamError(service, kindOfStatus(status, method), {
    status,
    ...facts,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

function kindOfStatus(status: number, method: OutgoingRequest['method']): UpstreamKind {
  if (status === 401) return 'reconnect';
  if (status === 429 || status === 408) return 'retry';
  if (status >= 500 || status < 200 || (status >= 300 && status < 400)) return repeatable(method) ? 'retry' : 'unknown';
  return 'refused';
}

/** `Retry-After` in seconds or as a date, between 0 and one hour; nonsense counts as absent. */
export function retryAfter(headers: Readonly<Record<string, string>>): number | undefined {
  const value = headers['retry-after'];
  if (value === undefined) return undefined;
  const seconds = /^\d+$/.test(value)
    ? Number(value)
    : (Date.parse(value) - performance.timeOrigin - performance.now()) / 1000;
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds, 3_600) * 1000 : undefined;
}

/** Errors that prove that the request never left: names not found, refused, TLS, no connection in time. */
const beforeLeaving = new Set([
  'ENOTFOUND',
  'EAI_AGAIN',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

function networkFailure(error: unknown, method: OutgoingRequest['method']): UpstreamKind {
  return beforeLeaving.has(networkReason(error)) || repeatable(method) ? 'retry' : 'unknown';
}

function networkReason(error: unknown): string {
  if (!(error instanceof Error)) return 'network';
  const code = (error as { code?: unknown }).code;
  if (typeof code === 'string') return code;
  return error.name === 'TimeoutError' || error.name === 'AbortError' ? 'timeout' : 'network';
}

function repeatable(method: OutgoingRequest['method']): boolean {
  return method === 'GET' || method === 'HEAD';
}

async function readAll(body: Dispatcher.ResponseData['body'], maxBytes: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body as AsyncIterable<Uint8Array>) {
    size += part.byteLength;
    if (size > maxBytes) {
      body.destroy();
      throw Object.assign(new Error('the answer is too large'), { code: 'ANSWER_TOO_LARGE' });
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function flatten(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name.toLowerCase(), Array.isArray(value) ? value.join(', ') : value]],
    ),
  );
}

function parseJson(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}
