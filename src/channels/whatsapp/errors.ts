// Twilio's error codes (Error and warning dictionary) to our words; each word names a sentence `failed.<word>` in `locales/`.
import { UpstreamError, type UpstreamKind } from '../../base/errors.ts';
import { retryAfter, upstreamFailure, type IncomingResponse, type OutgoingRequest } from '../../base/http.ts';

const words: Readonly<Record<string, readonly number[]>> = {
  template_needed: [63016],
  no_whatsapp: [63024, 63003],
  bad_number: [21211, 21604, 21612, 21614],
  sender_gone: [63007, 21703, 21705],
  connection_refused: [63001, 63002, 63008, 63020, 63022, 63023],
  content_refused: [63005, 63006, 63021, 63025],
  temporary: [63009, 63010, 63012],
  policy: [63013],
  blocked: [63014, 63033],
  sandbox: [63015],
  rate: [63017, 21611, 30001, 14107, 20429],
  limit_reached: [63018, 63038],
  media_unfetched: [63019, 63037],
  our_fault: [21602, 21603, 21606, 21609, 21620, 21623, 21656, 21910],
  template_unusable: [63027, 63028, 63030, 63040, 63041, 63042, 21654, 21655],
  not_loaded: [63029],
  own_number: [63031],
  experiment: [63032],
  too_large: [63034, 11751],
  marketing_held: [63049],
  marketing_refused: [63050],
  terms_missing: [63062],
  opted_out: [21610],
  sender_locked: [63051],
  country_off: [21408],
  too_long: [21617, 21658],
  reconnect: [20003],
  account_suspended: [20005, 90010, 30002],
  gone: [20404],
  unreachable: [20500, 20503],
  unclear: [30003, 30004, 30005, 30006, 30007, 30008, 30034, 30410],
};
const wordOf = new Map(
  Object.entries(words).flatMap(([word, codes]) => codes.map((code) => [String(code), word] as const)),
);

/** Our word for a code; `other` for one we do not know. */
export function failureCode(code: string | null): string {
  return (code !== null && wordOf.get(code)) || 'other';
}

/** A failed call: what it asks of us, with Twilio's code (`{code, message, more_info, status}`). */
export function twilioFailure(response: IncomingResponse, method: OutgoingRequest['method']): UpstreamError {
  const code = codeOf(response.json);
  const reason = code === null && response.status === 429 ? 'rate' : failureCode(code);
  const usual = upstreamFailure('twilio', response, method, {
    reason,
    ...(code === null ? {} : { providerCode: code }),
  });
  const kind = kindOf(response.status, reason, usual.kind);
  const retryAfterMs = retryAfter(response.headers);
  return new UpstreamError('twilio', kind, {
    status: response.status,
    reason,
    ...(code === null ? {} : { providerCode: code }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

function kindOf(status: number, reason: string, usual: UpstreamKind): UpstreamKind {
  if (reason === 'reconnect' || reason === 'account_suspended' || status === 401) return 'reconnect';
  // 20429: "never processed, always safe to retry"; the others refuse at the door because too much waits behind it.
  return status === 429 || (reason === 'rate' && status < 500) ? 'retry' : usual;
}

function codeOf(body: unknown): string | null {
  const code = (body as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'number' || typeof code === 'string' ? String(code) : null;
}
