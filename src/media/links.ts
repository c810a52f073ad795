// Signed, expiring addresses of attachments: bound to one file and one company.
import { hmac, sameSecret } from '../base/crypto.ts';
import { type Clock } from '../base/clock.ts';

export type LinkPurpose = 'browser' | 'provider' | 'export';

/** A browser needs minutes; a provider may fetch as long as its queue keeps a message (Twilio: 4 hours); an export a day. */
const lifeMs: Readonly<Record<LinkPurpose, number>> = {
  browser: 600_000,
  provider: 5 * 3_600_000,
  export: 24 * 3_600_000,
};
/** Expiry is rounded up to this, so that a screen read again shows the same address and the browser's cache works. */
const stepMs = 300_000;

export interface MediaLinks {
  link(file: { id: string; companyId: string; name: string }, purpose: LinkPurpose): string;
  /** The company the link was made for, or nothing when it is expired, changed or not ours. */
  check(id: string, query: Readonly<Record<string, unknown>>): { companyId: string } | undefined;
}

export function createMediaLinks(deps: { secret: string; publicUrl: string; clock: Clock }): MediaLinks {
  const sign = (id: string, companyId: string, expires: string): string =>
    hmac('sha256', deps.secret, `media|${id}|${companyId}|${expires}`).toString('base64url');
  return {
    link: (file, purpose) => {
      const soonest = deps.clock.now().getTime() + lifeMs[purpose] - stepMs;
      const expires = String(Math.ceil(soonest / stepMs) * stepMs);
      const query = new URLSearchParams({ c: file.companyId, e: expires, s: sign(file.id, file.companyId, expires) });
      // Ends in a readable name: a provider shows the last segment to the customer.
      return `${deps.publicUrl}/media/${file.id}/${encodeURIComponent(safeFileName(file.name))}?${query.toString()}`;
    },
    check: (id, query) => {
      const { c: companyId, e: expires, s: signature } = query;
      if (typeof companyId !== 'string' || typeof expires !== 'string' || typeof signature !== 'string')
        return undefined;
      if (!sameSecret(signature, sign(id, companyId, expires))) return undefined;
      return Number(expires) > deps.clock.now().getTime() ? { companyId } : undefined;
    },
  };
}

/** A name that is safe in a header and an address on every system (F-01 to F-05). */
export function safeFileName(name: string): string {
  const last = name.split(/[\\/]/).at(-1) ?? '';

  const clean = last
    .replace(/[\u0000-\u001f\u007f"<>:|?*\u202a-\u202e\u2066-\u2069]/g, '')
    .replace(/^\.+/, '')
    .trim();
  const cut = [...clean].slice(-100).join('');
  return cut === '' ? 'file' : cut;
}
