// Faults on order: a test says what the next matching request to a vendor shall suffer, and the vendor's first
// middleware makes it so. Nothing here knows what the vendors do.
import type { Context, Middleware, Next } from 'koa';

export type Vendor = 'pipedrive' | 'meta' | 'twilio' | 'push';

export type Fault =
  | { kind: 'answer'; status: number; headers?: Record<string, string>; body?: unknown }
  | { kind: 'hang'; ms?: number }
  | { kind: 'drop' }
  | { kind: 'do-then-drop' }
  | { kind: 'do-then-answer'; status: number; headers?: Record<string, string>; body?: unknown }
  | { kind: 'delay'; ms: number }
  /** The caller dies: when its request is here and nothing is done, when it is done, or when the answer has left. */
  | { kind: 'crash'; at: 'arrived' | 'done' | 'answered'; crash: () => Promise<void> };

export interface FaultMatch {
  method?: string;
  path?: RegExp;
  /** Only calls with one of these in their `Authorization`: those of one account. */
  tokens?: readonly string[];
}

export interface Faults {
  /** Orders a fault for the next `times` matching requests; orders are used up first come, first served. */
  next(vendor: Vendor, match: FaultMatch, fault: Fault, times?: number): void;
  take(vendor: Vendor, method: string, path: string, authorization?: string): Fault | undefined;
  clear(): void;
  /** How many calls hang or wait now. */
  held(): number;
  /** Ends their waiting. */
  release(): void;
  /** The ends of those that wait now. */
  readonly waiting: Set<() => void>;
}

/** `hang` and `delay` end early when this many milliseconds have passed without an end of their own. */
const LONGEST_HANG_MS = 600_000;

export function createFaults(): Faults {
  const orders: { vendor: Vendor; match: FaultMatch; fault: Fault; left: number }[] = [];
  const waiting = new Set<() => void>();

  return {
    next(vendor, match, fault, times = 1) {
      orders.push({ vendor, match, fault, left: times });
    },
    take(vendor, method, path, authorization = '') {
      const found = orders.findIndex(
        (order) =>
          order.vendor === vendor &&
          (order.match.method === undefined || order.match.method.toUpperCase() === method.toUpperCase()) &&
          (order.match.path === undefined || order.match.path.test(path)) &&
          (order.match.tokens === undefined || order.match.tokens.some((token) => authorization.includes(token))),
      );
      const order = orders[found];
      if (!order) return undefined;
      order.left -= 1;
      if (order.left <= 0) orders.splice(found, 1);
      return order.fault;
    },
    clear() {
      orders.length = 0;
    },
    waiting,
    held: () => waiting.size,
    release() {
      for (const end of [...waiting]) end();
    },
  };
}

/** The first middleware of every vendor. The path it matches includes the query string. */
export function faultMiddleware(faults: Faults, vendor: Vendor): Middleware {
  return async (ctx, next) => {
    const fault = faults.take(vendor, ctx.method, ctx.url, ctx.get('authorization'));
    if (fault) await suffer(ctx, next, fault, faults.waiting);
    else await next();
  };
}

async function suffer(ctx: Context, next: Next, fault: Fault, waiting: Set<() => void>): Promise<void> {
  switch (fault.kind) {
    case 'answer':
      return answer(ctx, fault);
    case 'drop':
      return drop(ctx);
    case 'hang':
      await pause(ctx, fault.ms ?? LONGEST_HANG_MS, waiting);
      return drop(ctx);
    case 'delay':
      await pause(ctx, fault.ms, waiting);
      await next();
      return;
    case 'do-then-drop':
      await next();
      return drop(ctx);
    case 'do-then-answer':
      await next();
      return answer(ctx, fault);
    case 'crash':
      return crash(ctx, next, fault);
  }
}

function answer(ctx: Context, fault: { status: number; headers?: Record<string, string>; body?: unknown }): void {
  ctx.body = fault.body ?? '';
  ctx.status = fault.status;
  ctx.set(fault.headers ?? {});
}

async function crash(ctx: Context, next: Next, fault: Extract<Fault, { kind: 'crash' }>): Promise<void> {
  if (fault.at === 'arrived') {
    await fault.crash();
    return drop(ctx);
  }
  await next();
  if (fault.at === 'done') await fault.crash();
  else ctx.res.once('finish', () => void fault.crash());
}

function drop(ctx: Context): void {
  ctx.respond = false;
  ctx.req.socket.destroy();
}

/** Waits, but no longer than the caller keeps the connection open. */
function pause(ctx: Context, ms: number, waiting: Set<() => void>): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      ctx.res.off('close', done);
      waiting.delete(done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    timer.unref();
    waiting.add(done);
    ctx.res.once('close', done);
  });
}
