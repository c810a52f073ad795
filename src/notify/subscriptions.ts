// The browsers that take a user's desktop notices: kept, moved, forgotten; and which addresses may be pushed to at all.
import { lookup as systemLookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import { timeText, type Clock } from '../base/clock.ts';
import { sha256, type Vault } from '../base/crypto.ts';
import { UpstreamError, UserError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import type { Viewer } from '../companies/access.ts';
import type { Database, Reader, Tx } from '../db/database.ts';
import { PushSubscription, type PushSubscriptionRow } from '../db/tables.ts';
import { isPublic } from '../media/download.ts';

/** What a browser gives for itself (Push API, `PushSubscription.toJSON()`). */
export interface PushTarget {
  readonly endpoint: string;
  readonly keys: { readonly p256dh: string; readonly auth: string };
}

export interface SubscriptionDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly vault: Vault;
  /** `host:port` that may be pushed to over plain http and at private addresses; stand-ins only. */
  readonly extraHosts: readonly string[];
}

/** A user of one browser after another is not seen often; more than this are left-overs, the oldest goes. */
const maxBrowsers = 20;

/** Keeps this browser for the viewer. One that was another user's is his now: one browser, one user signed in. */
export async function subscribeBrowser(deps: SubscriptionDeps, viewer: Viewer, target: PushTarget): Promise<void> {
  requirePushable(deps, target);
  const endpointHash = sha256(target.endpoint);
  await deps.db.transaction(async (tx) => {
    const known = await tx.one<PushSubscriptionRow>('select * from push_subscription where endpoint_hash = ?', [
      endpointHash,
    ]);
    if (known) await forget(tx, known.id);
    const id = newId();
    await tx.insert(PushSubscription, {
      id,
      companyId: viewer.companyId,
      userId: viewer.userId,
      sessionId: viewer.sessionId,
      endpointHash,
      sealedTarget: deps.vault.seal(JSON.stringify(target), placeOf(viewer.companyId, id)),
      createdAt: timeText(deps.clock),
    });
    const own = await browsersOf(tx, viewer);
    for (const { id: old } of own.slice(0, Math.max(0, own.length - maxBrowsers))) await forget(tx, old);
  });
}

/** Forgets the browser with this endpoint, or that of the viewer's session. */
export async function unsubscribeBrowser(
  deps: Pick<SubscriptionDeps, 'db'>,
  viewer: Viewer,
  endpoint?: string,
): Promise<void> {
  await deps.db.transaction(async (tx) => {
    const rows = await tx.query<{ id: string }>(
      `select id from push_subscription where company_id = ? and user_id = ? and ${
        endpoint === undefined ? 'session_id = ?' : 'endpoint_hash = ?'
      }`,
      [viewer.companyId, viewer.userId, endpoint === undefined ? viewer.sessionId : sha256(endpoint)],
    );
    for (const { id } of rows) await forget(tx, id);
  });
}

/** Oldest first. */
export function browsersOf(
  reader: Pick<Reader, 'query'>,
  user: { companyId: string; userId: string },
): Promise<PushSubscriptionRow[]> {
  return reader.query<PushSubscriptionRow>(
    'select * from push_subscription where company_id = ? and user_id = ? order by id',
    [user.companyId, user.userId],
  );
}

export async function forget(tx: Tx, subscriptionId: string): Promise<void> {
  await tx.query('delete from pushed_notice where subscription_id = ?', [subscriptionId]);
  await tx.query('delete from push_subscription where id = ?', [subscriptionId]);
}

export function openTarget(deps: Pick<SubscriptionDeps, 'vault'>, row: PushSubscriptionRow): PushTarget {
  return JSON.parse(deps.vault.open(row.sealedTarget, placeOf(row.companyId, row.id))) as PushTarget;
}

function placeOf(companyId: string, id: string): string {
  return `push_subscription:${companyId}:${id}:target`;
}

/** Public https addresses only: an endpoint is an address that a stranger has us call (T-11). */
function requirePushable(deps: Pick<SubscriptionDeps, 'extraHosts'>, { endpoint, keys }: PushTarget): void {
  const refuse = (field: string): never => {
    throw new UserError('invalid', { fields: { [field]: 'refused' } });
  };
  if (!URL.canParse(endpoint)) refuse('endpoint');
  const url = new URL(endpoint);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (url.username !== '' || url.password !== '') refuse('endpoint');
  if (!isStandIn(deps, url)) {
    const isName = isIP(host) === 0 && host.includes('.') && !/\.(local|internal|localhost|home\.arpa)$/i.test(host);
    if (url.protocol !== 'https:' || url.port !== '' || !(isName || isPublic(host))) refuse('endpoint');
  }
  // An uncompressed P-256 point, and 16 bytes (RFC 8291, 2 and 3.2).
  const point = Buffer.from(keys.p256dh, 'base64url');
  if (point.length !== 65 || point[0] !== 4) refuse('keys.p256dh');
  if (Buffer.from(keys.auth, 'base64url').length !== 16) refuse('keys.auth');
}

function isStandIn(deps: Pick<SubscriptionDeps, 'extraHosts'>, url: URL): boolean {
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return /^https?:$/.test(url.protocol) && deps.extraHosts.includes(`${url.hostname}:${port}`);
}

/** The one address to connect to, so that a name that looked public cannot lead inside later. Nothing for a stand-in. */
export async function publicLookup(
  deps: Pick<SubscriptionDeps, 'extraHosts'>,
  endpoint: string,
): Promise<LookupFunction | undefined> {
  const url = new URL(endpoint);
  if (isStandIn(deps, url)) return undefined;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const found = isIP(host)
    ? [{ address: host, family: isIP(host) }]
    : await systemLookup(host, { all: true }).catch((cause: unknown) => {
        throw new UpstreamError('push', 'retry', { reason: 'name', cause });
      });
  const [first] = found;
  if (!first || found.some(({ address }) => !isPublic(address))) {
    throw new UpstreamError('push', 'refused', { reason: 'private_address' });
  }
  return (_host, options, done) => {
    if (options.all) done(null, [first]);
    else done(null, first.address, first.family);
  };
}
