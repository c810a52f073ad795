// From a provider's host to our storage: only allowed hosts, never a private address, bounded in size, time and redirects (C6, T-11).
import { lookup as systemLookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import type { LookupFunction } from 'node:net';
import { UpstreamError } from '../base/errors.ts';
import type { Download, HttpDoor } from '../base/http.ts';
import { describeMedia } from './describe.ts';
import type { Storage } from './storage.ts';

export interface DownloadDeps {
  readonly http: Pick<HttpDoor, 'download'>;
  readonly storage: Storage;
  /** `host:port` besides the providers', over plain http too; stand-ins only. */
  readonly extraHosts: readonly string[];
  /** Addresses of a name; tests give their own. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
  readonly limits?: DownloadLimits;
}

export interface DownloadLimits {
  readonly maxBytes: number;
  readonly firstByteMs: number;
  /** For all of it, redirects too. */
  readonly wholeMs: number;
}

/** What the provider allows (`channels/provider.ts`). */
export interface DownloadRules {
  readonly allows: (host: string) => boolean;
  readonly headersFor: (url: URL) => Readonly<Record<string, string>>;
  readonly maxBytes: number;
}

export interface Downloaded {
  readonly mediaKey: string;
  /** Found in the bytes; what the other side said is not trusted. */
  readonly contentType: string;
  readonly size: number;
  readonly width: number | null;
  readonly height: number | null;
}

const usualLimits: DownloadLimits = { maxBytes: 25 * 1024 * 1024, firstByteMs: 10_000, wholeMs: 60_000 };
const maxRedirects = 3;
const maxAddressLength = 4_096;
const sniffBytes = 65_536;

/** Throws UpstreamError: `refused` for what is forbidden or too large, `retry` for what may be there later. */
export async function downloadMedia(deps: DownloadDeps, address: string, rules: DownloadRules): Promise<Downloaded> {
  const { wholeMs } = deps.limits ?? usualLimits;
  const signal = AbortSignal.timeout(wholeMs);
  let next = address;
  for (let hop = 0; hop <= maxRedirects; hop += 1) {
    const url = allowedUrl(deps, next, rules);
    const ip = await publicAddress(deps, url);
    const answer = await fetchOnce(deps, url, ip, rules, signal);
    try {
      if (answer.status >= 300 && answer.status < 400) {
        const location = answer.headers.location;
        if (!location || !URL.canParse(location, url)) throw refused('redirect');
        next = new URL(location, url).href;
        continue;
      }
      if (answer.status !== 200) throw notThere(answer.status);
      return await store(deps, answer, rules);
    } finally {
      await answer.discard();
    }
  }
  throw refused('redirects');
}

function allowedUrl(deps: DownloadDeps, address: string, rules: DownloadRules): URL {
  if (address.length > maxAddressLength || /[\s\\]/.test(address) || !URL.canParse(address)) throw refused('address');
  const url = new URL(address);
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  if (url.username !== '' || url.password !== '') throw refused('address');
  if (isExtra(deps, url, port)) return url;
  if (url.protocol !== 'https:' || port !== '443' || !rules.allows(url.hostname)) throw refused('host');
  return url;
}

function isExtra(deps: DownloadDeps, url: URL, port: string): boolean {
  return /^https?:$/.test(url.protocol) && deps.extraHosts.includes(`${url.hostname}:${port}`);
}

/** One address, resolved once; the connection goes to exactly this one, so that a name cannot change its mind (U-26). */
async function publicAddress(deps: DownloadDeps, url: URL): Promise<string> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const resolve = deps.resolve ?? systemAddresses;
  let addresses: readonly string[];
  try {
    addresses = isIP(host) ? [host] : await resolve(host);
  } catch (cause) {
    throw new UpstreamError('media', 'retry', { reason: 'name', cause });
  }
  const [first] = addresses;
  if (first === undefined) throw new UpstreamError('media', 'retry', { reason: 'name' });
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  if (!isExtra(deps, url, port) && addresses.some((ip) => !isPublic(ip))) throw refused('private_address');
  return first;
}

async function systemAddresses(host: string): Promise<readonly string[]> {
  return (await systemLookup(host, { all: true })).map(({ address }) => address);
}

async function fetchOnce(
  deps: DownloadDeps,
  url: URL,
  ip: string,
  rules: DownloadRules,
  signal: AbortSignal,
): Promise<Download> {
  const lookup: LookupFunction = (_host, options, done) => {
    const family = isIP(ip);
    if (options.all) done(null, [{ address: ip, family }]);
    else done(null, ip, family);
  };
  try {
    // No compressed body: what comes out of it could be a thousand times what came in (U-33).
    return await deps.http.download(
      url,
      { 'accept-encoding': 'identity', ...rules.headersFor(url) },
      { lookup, firstByteMs: (deps.limits ?? usualLimits).firstByteMs, signal },
    );
  } catch (cause) {
    throw new UpstreamError('media', 'retry', { reason: 'network', cause });
  }
}

function notThere(status: number): UpstreamError {
  // A provider's media may follow its webhook by some seconds.
  const later = status === 404 || status === 408 || status === 429 || status >= 500;
  return new UpstreamError('media', later ? 'retry' : 'refused', { status, reason: 'status' });
}

async function store(deps: DownloadDeps, answer: Download, rules: DownloadRules): Promise<Downloaded> {
  const maxBytes = Math.min(rules.maxBytes, (deps.limits ?? usualLimits).maxBytes);
  const encoding = answer.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') throw refused('encoding');
  if (Number(answer.headers['content-length'] ?? 0) > maxBytes) throw refused('too_large');
  const head: Uint8Array[] = [];
  let size = 0;
  let seen = 0;
  async function* bounded(): AsyncGenerator<Uint8Array> {
    for await (const part of answer.body) {
      size += part.byteLength;
      if (size > maxBytes) throw refused('too_large');
      if (seen < sniffBytes) {
        head.push(part.subarray(0, sniffBytes - seen));
        seen += part.byteLength;
      }
      yield part;
    }
  }
  try {
    const { key } = await deps.storage.put(bounded());
    return { mediaKey: key, size, ...(await describeMedia(Buffer.concat(head))) };
  } catch (error) {
    if (error instanceof UpstreamError) throw error;
    throw new UpstreamError('media', 'retry', { reason: 'broken_off', cause: error });
  }
}

function refused(reason: string): UpstreamError {
  return new UpstreamError('media', 'refused', { reason });
}

const notPublic = new BlockList();
for (const [net, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const) {
  notPublic.addSubnet(net, bits, 'ipv4');
}
const globalV6 = new BlockList();
globalV6.addSubnet('2000::', 3, 'ipv6');
const tunnelled = new BlockList();
for (const [net, bits] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const) {
  tunnelled.addSubnet(net, bits, 'ipv6');
}

/** Global unicast only: no loopback, private, link-local, shared, multicast, mapped, NAT64 or tunnelled address. */
export function isPublic(ip: string): boolean {
  if (isIP(ip) === 4) return !notPublic.check(ip, 'ipv4');
  return isIP(ip) === 6 && globalV6.check(ip, 'ipv6') && !tunnelled.check(ip, 'ipv6');
}
