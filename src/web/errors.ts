// Error to response, in one place. A bug shows `internal` and nothing of itself.
import type { Context, Next } from 'koa';
import { UpstreamError, UserError } from '../base/errors.ts';
import { correlationId, type Log } from '../base/log.ts';
import { text, type Values } from '../base/texts.ts';
import { errorStatus, type ErrorCode } from './contract.ts';

export interface ErrorAnswer {
  readonly status: number;
  readonly body: { error: { code: ErrorCode; message: string; details?: Record<string, unknown> } };
  readonly headers: Record<string, string>;
}

/** What is answered for an error, in the given language. Unknown errors are logged here. */
function errorAnswer(log: Log, error: unknown, language: string): ErrorAnswer {
  if (error instanceof UserError && error.code in errorStatus) {
    return answer(error.code as ErrorCode, language, error.details);
  }
  if (error instanceof UpstreamError) {
    log.info({ err: error }, 'a vendor did not do it');
    return answer(upstreamCode(error), language, { service: error.service }, error.retryAfterMs);
  }
  const status = (error as { status?: unknown }).status;
  if (status === 413) return answer('payload_too_large', language);
  if (status === 415) return answer('unsupported_media_type', language);
  if (status === 400) return answer('invalid', language, { fields: {} });
  log.error({ err: error }, 'a request failed');
  return answer('internal', language, { id: correlationId() });
}

function upstreamCode(error: UpstreamError): ErrorCode {
  if (error.kind === 'reconnect') return error.service === 'pipedrive' ? 'reconnect_needed' : 'channel_broken';
  return error.kind === 'refused' ? 'upstream_refused' : 'upstream_unavailable';
}

function answer(code: ErrorCode, language: string, details?: object, retryAfterMs?: number): ErrorAnswer {
  const values = valuesOf(language, details ?? {});
  return {
    status: errorStatus[code],
    headers: retryAfterMs === undefined ? {} : { 'Retry-After': String(Math.ceil(retryAfterMs / 1_000)) },
    body: {
      error: {
        code,
        message: sentence(language, code, values),
        ...(details === undefined ? {} : { details: { ...details } }),
      },
    },
  };
}

/** What stands in the details as text or number; a size is said in megabytes: `limitBytes` as `{limit}`. */
function valuesOf(language: string, details: object): Values {
  const megabytes = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
  return Object.fromEntries(
    Object.entries(details).flatMap(([name, value]: [string, unknown]): [string, string | number][] => {
      if (typeof value === 'number' && name.endsWith('Bytes'))
        return [[name.slice(0, -'Bytes'.length), `${megabytes.format(value / 1_048_576)} MB`]];
      return typeof value === 'string' || typeof value === 'number' ? [[name, value]] : [];
    }),
  );
}

/** A code has one sentence, or one for each of its reasons. */
function sentence(language: string, code: ErrorCode, values: Values): string {
  const key = `error.${code}.${values.reason}`;
  const special = text(language, key, values);
  return special === key ? text(language, `error.${code}`, values) : special;
}

/** Catches for all of the app's own API. */
export function apiErrors(log: Log) {
  return async (ctx: Context, next: Next): Promise<void> => {
    try {
      await next();
    } catch (error) {
      const language = (ctx.state as { language?: string }).language ?? 'en';
      const failed = errorAnswer(log, error, language);
      ctx.status = failed.status;
      ctx.set(failed.headers);
      ctx.body = failed.body;
    }
  };
}
