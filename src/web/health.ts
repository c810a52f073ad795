// For the operator: alive, ready, metrics (O3).
import type { Context } from 'koa';
import { sameSecret } from '../base/crypto.ts';
import { timeText, type Clock } from '../base/clock.ts';
import type { Metrics } from '../base/metrics.ts';
import type { Database } from '../db/database.ts';

export interface HealthDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly metricsToken: string | null;
}

export function live(ctx: Context): void {
  ctx.body = { status: 'ok' };
}

/** Ready when the database answers. */
export async function ready(deps: HealthDeps, ctx: Context): Promise<void> {
  try {
    await deps.db.read((reader) => reader.query('select 1 as one'));
    ctx.body = { status: 'ok' };
  } catch {
    ctx.status = 503;
    ctx.body = { status: 'unavailable' };
  }
}

/** Only on loopback, asked directly, or with the token. */
export async function metrics(deps: HealthDeps, ctx: Context): Promise<void> {
  const given = ctx.get('authorization').replace(/^Bearer /, '');
  const isLoopback = /^(::1|127\.|::ffff:127\.)/.test(ctx.req.socket.remoteAddress ?? '');
  const isDirect = isLoopback && ctx.get('x-forwarded-for') === '' && ctx.get('forwarded') === '';
  const allowed = deps.metricsToken === null ? isDirect : sameSecret(given, deps.metricsToken) || isDirect;
  if (!allowed) {
    ctx.status = 404;
    return;
  }
  const queue = await deps.db.read((reader) =>
    reader.one<{ oldest: string | null; parked: number }>(
      `select min(case when parked_at is null and run_at <= ? then run_at end) as oldest,
         cast(count(parked_at) as integer) as parked from job`,
      [timeText(deps.clock)],
    ),
  );
  deps.metrics.parked.set(queue?.parked ?? 0);
  deps.metrics.queueAge.set(
    queue?.oldest ? Math.max(0, (deps.clock.now().getTime() - Date.parse(queue.oldest)) / 1_000) : 0,
  );
  ctx.type = deps.metrics.registry.contentType;
  ctx.body = await deps.metrics.registry.metrics();
}
