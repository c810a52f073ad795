// Graph error codes and subcodes (Common Error Codes; Handling Errors) to what they ask of us and to our words.
import { UpstreamError, type UpstreamKind } from '../../base/errors.ts';
import { retryAfter, type IncomingResponse } from '../../base/http.ts';

interface GraphError {
  readonly code: number;
  readonly subcode: number | null;
}

interface Verdict {
  readonly kind: UpstreamKind;
  /** Names a sentence `failed.<reason>` in `locales/`. */
  readonly reason: string;
}

const bySubcode = new Map<number, Verdict>([
  [2018278, { kind: 'refused', reason: 'window_closed' }],
  [2534022, { kind: 'refused', reason: 'window_closed' }],
  [2018065, { kind: 'refused', reason: 'window_closed' }],
  [2018108, { kind: 'refused', reason: 'person_unavailable' }],
  [1545041, { kind: 'refused', reason: 'person_unavailable' }],
  [1893063, { kind: 'refused', reason: 'page_restricted' }],
  [2018001, { kind: 'refused', reason: 'person_unknown' }],
  [1893061, { kind: 'refused', reason: 'tag_gone' }],
  [2018008, { kind: 'refused', reason: 'file_unfetched' }],
  [2018047, { kind: 'refused', reason: 'file_type' }],
  [2018109, { kind: 'refused', reason: 'too_large' }],
  [2018074, { kind: 'refused', reason: 'file_expired' }],
  [2018294, { kind: 'refused', reason: 'video_damaged' }],
  [2018028, { kind: 'refused', reason: 'app_not_live' }],
  [2018300, { kind: 'refused', reason: 'thread_owned' }],
  [2018321, { kind: 'refused', reason: 'thread_automated' }],
  [2018338, { kind: 'refused', reason: 'tag_abuse' }],
  // Returned although the message was sent.
  [1357046, { kind: 'unknown', reason: 'ambiguous' }],
  [2018014, { kind: 'refused', reason: 'other' }],
  // Of a profile: nothing there, or nothing for us.
  [2018218, { kind: 'refused', reason: 'profile_none' }],
  [2018247, { kind: 'refused', reason: 'profile_permission' }],
]);
const byCode = new Map<number, Verdict>([
  [1, { kind: 'unknown', reason: 'ambiguous' }],
  [2, { kind: 'unknown', reason: 'ambiguous' }],
  [4, { kind: 'retry', reason: 'rate' }],
  [17, { kind: 'retry', reason: 'rate' }],
  [32, { kind: 'retry', reason: 'rate' }],
  [341, { kind: 'retry', reason: 'rate' }],
  [613, { kind: 'retry', reason: 'rate' }],
  [10, { kind: 'refused', reason: 'permission_missing' }],
  [100, { kind: 'refused', reason: 'other' }],
  [102, { kind: 'reconnect', reason: 'token_expired' }],
  [190, { kind: 'reconnect', reason: 'token_expired' }],
  [230, { kind: 'refused', reason: 'person_unavailable' }],
  [368, { kind: 'refused', reason: 'policy' }],
  [551, { kind: 'refused', reason: 'person_unavailable' }],
  [9000001, { kind: 'refused', reason: 'message_gone' }],
  [2022, { kind: 'refused', reason: 'policy' }],
  [2018300, { kind: 'refused', reason: 'thread_owned' }],
  [2018321, { kind: 'refused', reason: 'thread_automated' }],
  [10900, { kind: 'refused', reason: 'person_unavailable' }],
  [10903, { kind: 'refused', reason: 'person_unavailable' }],
  [10904, { kind: 'refused', reason: 'page_restricted' }],
]);
const tokenWords = new Map([
  [458, 'token_app_removed'],
  [459, 'token_checkpoint'],
  [460, 'token_password'],
  [464, 'token_checkpoint'],
  [492, 'token_role'],
]);

export function graphFailure(response: IncomingResponse, method: 'GET' | 'POST' | 'DELETE'): UpstreamError {
  const error = errorOf(response.json);
  if (!error) {
    const kind = response.status === 429 || method === 'GET' ? 'retry' : response.status < 500 ? 'refused' : 'unknown';
    return new UpstreamError('meta', kind, {
      status: response.status,
      reason: kind === 'unknown' ? 'ambiguous' : response.status === 429 ? 'rate' : 'other',
    });
  }
  const verdict = verdictOf(error);
  // Reading again is always safe.
  const kind = verdict.kind === 'unknown' && method === 'GET' ? 'retry' : verdict.kind;
  const waitMs = waitAsked(response) ?? retryAfter(response.headers);
  return new UpstreamError('meta', kind, {
    status: response.status,
    providerCode: error.subcode === null ? String(error.code) : `${error.code}/${error.subcode}`,
    reason: verdict.reason,
    ...(waitMs === undefined ? {} : { retryAfterMs: waitMs }),
  });
}

function verdictOf({ code, subcode }: GraphError): Verdict {
  if (code === 190) return { kind: 'reconnect', reason: tokenReason(subcode) };
  const known = (subcode !== null && bySubcode.get(subcode)) || byCode.get(code);
  if (known) return known;
  if (code >= 80_000 && code < 80_100) return { kind: 'retry', reason: 'rate' };
  if (code >= 200 && code < 300) return { kind: 'refused', reason: 'permission_missing' };
  return { kind: 'refused', reason: 'other' };
}

/** Why a token died, by the subcode of the 190. */
export function tokenReason(subcode: number | null): string {
  return (subcode !== null && tokenWords.get(subcode)) || 'token_expired';
}

function errorOf(body: unknown): GraphError | undefined {
  const error = (body as { error?: { code?: unknown; error_subcode?: unknown } } | null | undefined)?.error;
  if (typeof error !== 'object' || error === null || typeof error.code !== 'number') return undefined;
  return { code: error.code, subcode: typeof error.error_subcode === 'number' ? error.error_subcode : null };
}

/** `estimated_time_to_regain_access` is in minutes (Graph API: rate limits). */
function waitAsked(response: IncomingResponse): number | undefined {
  const header = response.headers['x-business-use-case-usage'];
  const minutes = header && /"estimated_time_to_regain_access":\s*(\d+)/.exec(header)?.[1];
  return minutes && Number(minutes) > 0 ? Math.min(Number(minutes), 60) * 60_000 : undefined;
}
