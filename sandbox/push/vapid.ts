// Who sends: the signed statement of an application server (RFC 8292), as push services check it.
import { createPublicKey, verify } from 'node:crypto';

interface VapidFault {
  readonly status: number;
  readonly reason: string;
}

const dayMs = 86_400_000;

/** Nothing when the sender is who the subscription was made for. Time is the machine's: the statement is made by it. */
export function requireVapid(header: string, audience: string, expectedKey: string): VapidFault | undefined {
  const parts = /^vapid (.+)$/i.exec(header)?.[1];
  if (!parts) return { status: 401, reason: 'VAPID is missing' };
  const values = new Map(
    parts.split(',').map((part) => {
      const [name = '', ...rest] = part.trim().split('=');
      return [name, rest.join('=')];
    }),
  );
  const [token = '', key = ''] = [values.get('t'), values.get('k')];
  if (key !== expectedKey) return { status: 403, reason: 'The subscription was made for another key' };
  const [head = '', body = '', signature = ''] = token.split('.');
  const point = Buffer.from(key, 'base64url');
  const publicKey = createPublicKey({
    key: {
      kty: 'EC',
      crv: 'P-256',
      x: point.subarray(1, 33).toString('base64url'),
      y: point.subarray(33, 65).toString('base64url'),
    },
    format: 'jwk',
  });
  const signed = verify(
    'sha256',
    Buffer.from(`${head}.${body}`),
    { key: publicKey, dsaEncoding: 'ieee-p1363' },
    Buffer.from(signature, 'base64url'),
  );
  const { alg } = read(head) as { alg?: string };
  if (!signed || alg !== 'ES256') return { status: 403, reason: 'The signature is wrong' };
  const { aud, exp, sub } = read(body) as { aud?: string; exp?: number; sub?: string };
  if (aud !== audience) return { status: 403, reason: 'The statement is for another service' };
  const left = typeof exp === 'number' ? exp * 1_000 - Date.now() : NaN;
  if (!(left > 0 && left <= dayMs)) return { status: 403, reason: 'The statement has expired, or lasts over a day' };
  if (!/^(mailto:.+@.+|https:\/\/.+)$/.test(sub ?? '')) return { status: 403, reason: 'The statement names nobody' };
  return undefined;
}

function read(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as unknown;
  } catch {
    return {};
  }
}
