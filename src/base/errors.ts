// The two error classes of the app. Everything else that is thrown is a bug.

/** A request that cannot be granted. `code` is public (see `web/contract.ts`); its sentence comes from `locales/`. */
export class UserError extends Error {
  readonly code: string;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: string, details?: Readonly<Record<string, unknown>>, options?: ErrorOptions) {
    super(code, options);
    this.name = 'UserError';
    this.code = code;
    this.details = details;
  }
}

export type Service = 'pipedrive' | 'meta' | 'twilio' | 'media' | 'mail' | 'push';

/**
 * What a failed call to a vendor asks of us:
 * - `retry`: certainly not done, may work later
 * - `unknown`: may have been done; look before repeating
 * - `refused`: certainly not done, and never will be
 * - `reconnect`: our permission is gone
 * - `stop`: the vendor wants silence from all of us until `retryAfterMs` has passed
 */
export type UpstreamKind = 'retry' | 'unknown' | 'refused' | 'reconnect' | 'stop';

export interface UpstreamFacts {
  /** HTTP status, if an answer came. */
  readonly status?: number;
  /** The vendor's own code, as text, e.g. `63016` or `190/460`. */
  readonly providerCode?: string;
  readonly retryAfterMs?: number;
  /** Short machine word for logs and texts, e.g. `window_closed`. */
  readonly reason?: string;
  readonly cause?: unknown;
}

/** Pipedrive, Meta or Twilio did not do it. */
export class UpstreamError extends Error {
  readonly service: Service;
  readonly kind: UpstreamKind;
  readonly status: number | undefined;
  readonly providerCode: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly reason: string | undefined;

  constructor(service: Service, kind: UpstreamKind, facts: UpstreamFacts = {}) {
    const words = [service, kind, facts.status, facts.providerCode, facts.reason].filter((word) => word !== undefined);
    super(words.join(' '), facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = 'UpstreamError';
    this.service = service;
    this.kind = kind;
    this.status = facts.status;
    this.providerCode = facts.providerCode;
    this.retryAfterMs = facts.retryAfterMs;
    this.reason = facts.reason;
  }
}
