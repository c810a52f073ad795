// The vendor's SDK, sending through our HTTP door: tokens, budget and failures are minded here, once for all calls.
import type * as v1 from 'pipedrive/v1';
import type * as v2 from 'pipedrive/v2';
import { timeText } from '../base/clock.ts';
import { UpstreamError } from '../base/errors.ts';
import { retryAfter, type IncomingResponse } from '../base/http.ts';
import type { Metrics } from '../base/metrics.ts';
import type { Reader } from '../db/database.ts';
import type { TokenBudgetRow } from '../db/tables.ts';
import { accessToken, markReconnect, type Access, type Grant, type TokenDeps } from './tokens.ts';

export interface PipedriveDeps extends TokenDeps {
  readonly metrics: Metrics;
}

type V1 = typeof v1;
type V2 = typeof v2;
type ApiClass<Api> = new (configuration: never) => Api;

/** One user's access to his company's data. Made per piece of work. Answers are bodies, to be checked by whoever asks. */
export interface PipedriveClient {
  readonly grant: Grant;
  v1<Api extends object>(pick: (sdk: V1) => ApiClass<Api>, call: (api: Api) => Promise<unknown>): Promise<unknown>;
  v2<Api extends object>(pick: (sdk: V2) => ApiClass<Api>, call: (api: Api) => Promise<unknown>): Promise<unknown>;
}

export interface CallOptions {
  /** What the user waits for is still called when the day's budget runs low. */
  readonly urgent?: boolean;
}

/** Below this share of the day's tokens only what a user waits for is called (H7). */
const lowShare = 0.02;

export function pipedriveFor(
  deps: PipedriveDeps,
  { companyId, userId }: Grant,
  options: CallOptions = {},
): PipedriveClient {
  const grant = { companyId, userId };
  const call = async (run: (access: Access) => Promise<unknown>): Promise<unknown> => {
    await requireBudget(deps, grant.companyId, options.urgent ?? false);
    let refused: string | undefined;
    for (;;) {
      const access = await accessToken(deps, grant, refused);
      try {
        return soundBody(await run(access));
      } catch (error) {
        const failure = await understood(deps, grant, error);
        if (failure.kind !== 'reconnect') throw failure;
        // One refresh for a token that looked good; a fresh one that is refused means that the grant is gone (V-15).
        if (refused !== undefined) {
          await markReconnect(deps, grant);
          throw failure;
        }
        refused = access.token;
      }
    }
  };
  return {
    grant,
    v1: (pick, use) =>
      call(async (access) => {
        const sdk = await import('pipedrive/v1');
        const configuration = new sdk.Configuration({ basePath: `${access.apiBase}/api/v1` });
        return use(throughOurDoor(deps, grant, access, new (pick(sdk))(configuration as never)));
      }),
    v2: (pick, use) =>
      call(async (access) => {
        const sdk = await import('pipedrive/v2');
        const configuration = new sdk.Configuration({ basePath: `${access.apiBase}/api/v2` });
        return use(throughOurDoor(deps, grant, access, new (pick(sdk))(configuration as never)));
      }),
  };
}

export function budgetOf(reader: Reader, companyId: string): Promise<TokenBudgetRow | undefined> {
  return reader.one<TokenBudgetRow>('select * from token_budget where company_id = ?', [companyId]);
}

async function requireBudget(deps: PipedriveDeps, companyId: string, urgent: boolean): Promise<void> {
  const budget = await deps.db.read((reader) => budgetOf(reader, companyId));
  if (!budget) return;
  const now = timeText(deps.clock);
  if (budget.blockedUntil !== null && budget.blockedUntil > now) {
    throw new UpstreamError('pipedrive', 'stop', {
      reason: 'daily_budget',
      retryAfterMs: Date.parse(budget.blockedUntil) - deps.clock.now().getTime(),
    });
  }
  const isLow =
    budget.remaining !== null && budget.dailyLimit !== null && budget.remaining < budget.dailyLimit * lowShare;
  const isToday = budget.updatedAt.slice(0, 10) === now.slice(0, 10);
  if (isLow && isToday && !urgent)
    throw new UpstreamError('pipedrive', 'stop', { reason: 'daily_budget', retryAfterMs: 600_000 });
}

/** What our adapter throws into the SDK, which would otherwise keep only the body (dossier 7.4). */
class CallFailure extends Error {
  readonly answer: IncomingResponse;

  constructor(answer: IncomingResponse) {
    super('the call was refused');
    this.answer = answer;
  }
}

/** The parts of axios' request that its adapter reads. */
interface SdkRequest {
  readonly method?: string;
  readonly url?: string;
  readonly data?: unknown;
}

/** The SDK's API object keeps its own axios: only how that one sends is replaced. */
function throughOurDoor<Api extends object>(deps: PipedriveDeps, grant: Grant, access: Access, api: Api): Api {
  const { axios } = api as unknown as { axios: { defaults: { adapter: unknown } } };
  axios.defaults.adapter = async (request: SdkRequest) => {
    const method = (request.method ?? 'get').toUpperCase() as 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
    const body = typeof request.data === 'string' ? request.data : undefined;
    const answer = await deps.send({
      service: 'pipedrive',
      method,
      url: request.url ?? '',
      headers: {
        authorization: `Bearer ${access.token}`,
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body }),
    });
    await rememberBudget(deps, grant.companyId, answer);
    if (answer.status >= 400 || answer.json === undefined) throw new CallFailure(answer);
    return { data: answer.json, status: answer.status, statusText: '', headers: answer.headers, config: request };
  };
  return api;
}

function soundBody(body: unknown): unknown {
  if ((body as { success?: unknown } | null | undefined)?.success === false) {
    throw new UpstreamError('pipedrive', 'refused', { reason: 'success_false' });
  }
  return body;
}

async function understood(deps: PipedriveDeps, grant: Grant, error: unknown): Promise<UpstreamError> {
  if (error instanceof UpstreamError) return error;
  if (!(error instanceof CallFailure)) throw error;
  const { status, headers, json } = error.answer;
  if (status === 401) return new UpstreamError('pipedrive', 'reconnect', { status, reason: 'unauthorized' });
  if (status === 429) return tooMany(deps, grant, headers);
  if (status >= 500 || status < 300) return new UpstreamError('pipedrive', 'unknown', { status, reason: 'no_sense' });
  const code = codeOf(json);
  const reason =
    status === 404 || status === 410
      ? 'not_found'
      : status === 402
        ? 'account_closed'
        : status === 403
          ? 'forbidden'
          : 'refused';
  return new UpstreamError('pipedrive', 'refused', { status, reason, ...(code ? { providerCode: code } : {}) });
}

function codeOf(body: unknown): string | undefined {
  const code = (body as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' && /^[\w.-]{1,80}$/.test(code) ? code : undefined;
}

/** Of the two kinds of 429 the burst one passes in seconds; the other lasts until the day's budget is renewed. */
async function tooMany(
  deps: PipedriveDeps,
  grant: Grant,
  headers: IncomingResponse['headers'],
): Promise<UpstreamError> {
  if (numberOf(headers['x-daily-ratelimit-token-remaining']) === 0) {
    const until = nextMidnight(deps.clock.now());
    await deps.db.transaction((tx) =>
      tx.query('update token_budget set blocked_until = ? where company_id = ?', [until, grant.companyId]),
    );
    return new UpstreamError('pipedrive', 'stop', {
      status: 429,
      reason: 'daily_budget',
      retryAfterMs: Date.parse(until) - deps.clock.now().getTime(),
    });
  }
  const resetMs = (numberOf(headers['x-ratelimit-reset']) ?? 2) * 1_000;
  return new UpstreamError('pipedrive', 'retry', {
    status: 429,
    reason: 'burst',
    retryAfterMs: Math.min(retryAfter(headers) ?? resetMs, 60_000),
  });
}

/** The zone of Pipedrive's midnight is not documented; an hour's pause and another look is the shortest that cannot storm. */
function nextMidnight(now: Date): string {
  const midnight = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate() + 1);
  return new Date(Math.min(midnight, now.getTime() + 3_600_000)).toISOString();
}

const remembered = new Map<string, number>();

/** Kept when it moved by more than a hundredth, so that a call does not cost a write. */
async function rememberBudget(deps: PipedriveDeps, companyId: string, response: IncomingResponse): Promise<void> {
  const limit = numberOf(response.headers['x-daily-ratelimit-token-limit']);
  const remaining = numberOf(response.headers['x-daily-ratelimit-token-remaining']);
  if (limit === undefined || remaining === undefined) return;
  deps.metrics.tokenBudget.set(remaining);
  const before = remembered.get(companyId);
  if (before !== undefined && Math.abs(before - remaining) < limit / 100 && remaining > limit / 20) return;
  remembered.set(companyId, remaining);
  await deps.db.transaction((tx) =>
    tx.query(
      `insert into token_budget (company_id, daily_limit, remaining, blocked_until, updated_at) values (?, ?, ?, null, ?)
       on conflict (company_id) do update set daily_limit = excluded.daily_limit, remaining = excluded.remaining,
         updated_at = excluded.updated_at,
         blocked_until = case when excluded.remaining > 0 then null else token_budget.blocked_until end`,
      [companyId, limit, remaining, timeText(deps.clock)],
    ),
  );
}

function numberOf(value: string | undefined): number | undefined {
  const number = value === undefined ? NaN : Number(value);
  return Number.isFinite(number) ? number : undefined;
}
