// The vendor's SDK, sending through our HTTP door: tokens, budget and failures are minded here, once for all calls.
import type * as v1 from 'pipedrive/v1';
import type * as v2 from 'pipedrive/v2';
import { later, timeText } from '../base/clock.ts';
import { UpstreamError } from '../base/errors.ts';
import { retryAfter, type IncomingResponse, type OutgoingRequest } from '../base/http.ts';
import type { Metrics } from '../base/metrics.ts';
import type { Reader, Tx } from '../db/database.ts';
import type { TokenBudgetRow } from '../db/tables.ts';
import type { Pace } from './pace.ts';
import { priceOf } from './prices.ts';
import { accessToken, deadOrReplaced, type Access, type Grant, type TokenDeps } from './tokens.ts';

export interface PipedriveDeps extends TokenDeps {
  readonly metrics: Metrics;
  readonly pace: Pace;
  /** The day's budget is used up, or there is some of it again. */
  readonly onBudget: (tx: Tx, budget: { companyId: string; spent: boolean }) => Promise<void>;
}

type V1 = typeof v1;
type V2 = typeof v2;
type ApiClass<Api> = new (configuration: never) => Api;

/** One user's access to his company's data. Made per piece of work. Answers are bodies, to be checked by whoever asks. */
export interface PipedriveClient {
  readonly grant: Grant;
  /** Whose calls these are: what is kept of their answers is kept for it. */
  readonly scope: object;
  v1<Api extends object>(pick: (sdk: V1) => ApiClass<Api>, call: (api: Api) => Promise<unknown>): Promise<unknown>;
  v2<Api extends object>(pick: (sdk: V2) => ApiClass<Api>, call: (api: Api) => Promise<unknown>): Promise<unknown>;
}

/** What calls are made for: notes, what a user links or looks at, what is linked by itself, watching records, Leads Inbox. */
export type Feature = 'notes' | 'links' | 'automatic' | 'records' | 'bridge';

export interface CallOptions {
  /** What the user waits for is still called when the day's budget runs low. */
  readonly urgent?: boolean;
  /** On whose account the tokens are counted. */
  readonly feature: Feature;
  /** A refused token says nothing of the grant: for a part of the API that may be gone while all else answers. */
  readonly aside?: boolean;
}

/** Below this share of the day's tokens only what a user waits for is called (H7). */
const lowShare = 0.02;
/** When the day ends is not documented: so often one call is let through, to see whether there are tokens again. */
const probeMs = 3_600_000;

export function pipedriveFor(deps: PipedriveDeps, { companyId, userId }: Grant, options: CallOptions): PipedriveClient {
  const grant = { companyId, userId };
  const call = async (run: (access: Access) => Promise<unknown>): Promise<unknown> => {
    if (!options.urgent) {
      await requireBudget(deps, grant.companyId);
      requireUp(deps, grant.companyId);
    }
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
          throw options.aside ? failure : await deadOrReplaced(deps, grant, access.installedAt, failure);
        }
        refused = access.token;
      }
    }
  };
  return {
    grant,
    scope: deps.db,
    v1: (pick, use) =>
      call(async (access) => {
        const sdk = await import('pipedrive/v1');
        const configuration = new sdk.Configuration({ basePath: `${access.apiBase}/api/v1` });
        return use(
          throughOurDoor(deps, { ...grant, feature: options.feature }, access, new (pick(sdk))(configuration as never)),
        );
      }),
    v2: (pick, use) =>
      call(async (access) => {
        const sdk = await import('pipedrive/v2');
        const configuration = new sdk.Configuration({ basePath: `${access.apiBase}/api/v2` });
        return use(
          throughOurDoor(deps, { ...grant, feature: options.feature }, access, new (pick(sdk))(configuration as never)),
        );
      }),
  };
}

export function budgetOf(reader: Reader, companyId: string): Promise<TokenBudgetRow | undefined> {
  return reader.one<TokenBudgetRow>('select * from token_budget where company_id = ?', [companyId]);
}

export interface Budget {
  /** Machine word of why notes wait, or null. */
  readonly reason: 'daily_budget' | 'daily_budget_low' | null;
  /** When there are new tokens, as far as is known: Pipedrive tells no zone for its midnight. */
  readonly resetsAt: string | null;
}

/** Whether a company's background calls wait for tokens. */
export function budgetState(budget: TokenBudgetRow | undefined, now: string): Budget {
  const isUsedUp = budget?.blockedUntil != null && budget.blockedUntil > now;
  const isLow =
    budget != null &&
    budget.remaining !== null &&
    budget.dailyLimit !== null &&
    budget.remaining < budget.dailyLimit * lowShare &&
    budget.updatedAt > later(now, -probeMs);
  if (!isUsedUp && !isLow) return { reason: null, resetsAt: null };
  return { reason: isUsedUp ? 'daily_budget' : 'daily_budget_low', resetsAt: midnightAfter(now) };
}

async function requireBudget(deps: PipedriveDeps, companyId: string): Promise<void> {
  const budget = await deps.db.read((reader) => budgetOf(reader, companyId));
  const now = timeText(deps.clock);
  if (!budget) return;
  if (budgetState(budget, now).reason === null) {
    // The first to ask after a time of few tokens asks for all; the others wait for his answer.
    const wasLow = budget.remaining !== null && budget.remaining < (budget.dailyLimit ?? 0) * lowShare;
    if (!wasLow) return;
    const mine = await deps.db.transaction((tx) =>
      tx.query('update token_budget set updated_at = ? where company_id = ? and updated_at = ? returning company_id', [
        now,
        companyId,
        budget.updatedAt,
      ]),
    );
    if (mine.length > 0) return;
  }
  throw new UpstreamError('pipedrive', 'stop', { reason: 'daily_budget', retryAfterMs: 60_000 });
}

/** While Pipedrive is down, one background call of a company in half a minute finds out whether it is back (P-05). */
function requireUp(deps: PipedriveDeps, companyId: string): void {
  const restMs = deps.pace.restMs(companyId);
  if (restMs > 0) throw new UpstreamError('pipedrive', 'stop', { reason: 'down', retryAfterMs: restMs });
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
function throughOurDoor<Api extends object>(
  deps: PipedriveDeps,
  grant: Grant & { readonly feature: Feature },
  access: Access,
  api: Api,
): Api {
  const { axios } = api as unknown as { axios: { defaults: { adapter: unknown } } };
  axios.defaults.adapter = async (request: SdkRequest) => {
    const method = (request.method ?? 'get').toUpperCase() as 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
    const body = typeof request.data === 'string' ? request.data : undefined;
    const user = `${grant.companyId}:${grant.userId}`;
    await deps.pace.turn(user, /\/(search|itemSearch)\b/.test(request.url ?? ''));
    const answer = await sendOnce(deps, grant.companyId, {
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
    deps.pace.heard(user, answer.headers);
    const price = answer.status === 429 ? 0 : priceOf(method, new URL(request.url ?? '').pathname);
    deps.metrics.tokensSpent.inc({ feature: grant.feature }, price);
    await rememberBudget(deps, grant.companyId, answer);
    if (answer.status >= 400 || answer.json === undefined) throw new CallFailure(answer);
    return { data: answer.json, status: answer.status, statusText: '', headers: answer.headers, config: request };
  };
  return api;
}

async function sendOnce(deps: PipedriveDeps, companyId: string, request: OutgoingRequest): Promise<IncomingResponse> {
  try {
    const answer = await deps.send(request);
    const isDown = answer.status >= 500 || (answer.status < 400 && answer.json === undefined);
    if (isDown) deps.pace.wentWrong(companyId);
    else deps.pace.wentWell(companyId);
    return answer;
  } catch (error) {
    deps.pace.wentWrong(companyId);
    throw error;
  }
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
  if (status >= 500 || status < 400) return new UpstreamError('pipedrive', 'unknown', { status, reason: 'no_sense' });
  // The company has not paid, or is closed: nothing to be done but to look again later.
  if (status === 402)
    return new UpstreamError('pipedrive', 'stop', { status, reason: 'account_closed', retryAfterMs: 3_600_000 });
  const code = codeOf(json);
  const reason = saysEnded(json)
    ? 'ended'
    : status === 404 || status === 410
      ? 'not_found'
      : status === 403
        ? 'forbidden'
        : 'refused';
  return new UpstreamError('pipedrive', 'refused', { status, reason, ...(code ? { providerCode: code } : {}) });
}

/** An endpoint that was taken out of service says so in words only. */
function saysEnded(body: unknown): boolean {
  const { error } = (body ?? {}) as { error?: unknown };
  return typeof error === 'string' && /deprecat|sunset|no longer (available|supported)/i.test(error);
}

/** Most of the API has it at the top, the Channels API among its additional data. */
function codeOf(body: unknown): string | undefined {
  const { code: top, additional_data: more } = (body ?? {}) as { code?: unknown; additional_data?: { code?: unknown } };
  const code = top ?? more?.code;
  return typeof code === 'string' && /^[\w.-]{1,80}$/.test(code) ? code : undefined;
}

/** Of the two kinds of 429 the burst one passes in seconds; the other lasts until the day's budget is renewed. */
async function tooMany(
  deps: PipedriveDeps,
  grant: Grant,
  headers: IncomingResponse['headers'],
): Promise<UpstreamError> {
  if (numberOf(headers['x-daily-ratelimit-token-remaining']) === 0) {
    const until = nextLook(timeText(deps.clock));
    await deps.db.transaction(async (tx) => {
      await tx.query('update token_budget set blocked_until = ? where company_id = ?', [until, grant.companyId]);
      await deps.onBudget(tx, { companyId: grant.companyId, spent: true });
    });
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
function nextLook(now: string): string {
  const midnight = midnightAfter(now);
  const hour = later(now, probeMs);
  return midnight < hour ? midnight : hour;
}

function midnightAfter(now: string): string {
  return later(`${now.slice(0, 10)}T00:00:00.000Z`, 24 * 3_600_000);
}

const remembered = new WeakMap<object, Map<string, number>>();

/** Kept when it moved by more than a hundredth, so that a call does not cost a write. */
async function rememberBudget(deps: PipedriveDeps, companyId: string, response: IncomingResponse): Promise<void> {
  const limit = numberOf(response.headers['x-daily-ratelimit-token-limit']);
  const remaining = numberOf(response.headers['x-daily-ratelimit-token-remaining']);
  if (limit === undefined || remaining === undefined) return;
  deps.metrics.tokenBudget.set(remaining);
  const known = remembered.get(deps.db) ?? new Map<string, number>();
  remembered.set(deps.db, known);
  const before = known.get(companyId);
  if (before !== undefined && Math.abs(before - remaining) < limit / 100 && remaining > limit / 20) return;
  known.set(companyId, remaining);
  await deps.db.transaction(async (tx) => {
    await tx.query(
      `insert into token_budget (company_id, daily_limit, remaining, blocked_until, updated_at) values (?, ?, ?, null, ?)
       on conflict (company_id) do update set daily_limit = excluded.daily_limit, remaining = excluded.remaining,
         updated_at = excluded.updated_at,
         blocked_until = case when excluded.remaining > 0 then null else token_budget.blocked_until end`,
      [companyId, limit, remaining, timeText(deps.clock)],
    );
    if (remaining > 0) await deps.onBudget(tx, { companyId, spent: false });
  });
}

function numberOf(value: string | undefined): number | undefined {
  const number = value === undefined ? NaN : Number(value);
  return Number.isFinite(number) ? number : undefined;
}
