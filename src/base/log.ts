// One logger. Ids only: never message text, names, addresses, tokens, query strings or bodies.
import { AsyncLocalStorage } from 'node:async_hooks';
import pino, { type DestinationStream, type Logger } from 'pino';

export type Log = Logger;

export interface LogContext {
  /** Follows a webhook through its jobs to the note. */
  readonly correlationId?: string;
  readonly companyId?: string;
  readonly conversationId?: string;
  readonly jobId?: string;
  readonly task?: string;
}

const surroundings = new AsyncLocalStorage<LogContext>();

export function createLog(level: string, destination?: DestinationStream): Log {
  const options = {
    level,
    base: undefined,
    // A copy: pino writes the fields of the line into what it is given.
    mixin: () => ({ ...surroundings.getStore() }),
    serializers: { err: describeError },
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return destination ? pino(options, destination) : pino(options);
}

/** Runs `work` so that every line it logs carries `context`. */
export function withContext<T>(context: LogContext, work: () => T): T {
  return surroundings.run({ ...surroundings.getStore(), ...context }, work);
}

export function correlationId(): string | undefined {
  return surroundings.getStore()?.correlationId;
}

const plainFields = ['code', 'kind', 'service', 'status', 'providerCode', 'reason'] as const;

/** Only fields known to be harmless: a vendor's error object holds credentials and the customer's words. */
function describeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return { type: typeof error };
  const fields = Object.fromEntries(
    plainFields.flatMap((name) => {
      const value: unknown = (error as unknown as Record<string, unknown>)[name];
      return typeof value === 'string' || typeof value === 'number' ? [[name, value]] : [];
    }),
  );
  const ours = error.name === 'UserError' || error.name === 'UpstreamError';
  const stack = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return {
    type: error.name,
    ...(ours ? { message: error.message } : { message: safeMessage(error) }),
    ...fields,
    stack: stack.slice(0, 8).map((line) => line.trim()),
    ...(error.cause !== undefined && depth < 3 ? { cause: describeError(error.cause, depth + 1) } : {}),
  };
}

/** Messages of foreign errors may quote what they choked on (a body, a statement's parameters): cut at the first quote or colon. */
function safeMessage(error: Error): string {
  return error.message.split(/["'`{[\n]/, 1)[0]!.slice(0, 200);
}
