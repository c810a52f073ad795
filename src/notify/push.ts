// Desktop notices by Web Push: one per conversation and browser; the newer takes the older's place, and what was read is
// withdrawn. An outcome that is not known counts as told: a notice must not ring twice.
import webpush from 'web-push';
import { z } from 'zod';
import { later, timeText } from '../base/clock.ts';
import { sha256 } from '../base/crypto.ts';
import { UpstreamError } from '../base/errors.ts';
import { upstreamFailure, type OutgoingRequest, type Send } from '../base/http.ts';
import type { Log } from '../base/log.ts';
import type { PushedNoticeRow, PushSubscriptionRow } from '../db/tables.ts';
import { defineTask, type Outcome } from '../jobs/queue.ts';
import { noticeWords, readNoticeOf, type NoticeView } from './notices.ts';
import type { PushMessage } from './push-message.ts';
import { forget, openTarget, publicLookup, type SubscriptionDeps } from './subscriptions.ts';

export interface Vapid {
  readonly publicKey: string;
  readonly privateKey: string;
  /** `mailto:` or https address of the operator, for the push service. */
  readonly subject: string;
}

export interface PushDeps extends SubscriptionDeps {
  readonly log: Log;
  readonly send: Send;
  readonly publicUrl: string;
  /** Null without keys: nothing is pushed. */
  readonly vapid: Vapid | null;
}

/** A burst rings once; what follows within this long is shown together. */
const gatherMs = 3_000;
/** A browser that was off for longer need not hear of it: the inbox will show it. */
const ttlSeconds = 12 * 3_600;

/** Brings what one browser shows of a conversation to what it should show: the newest notice, or nothing. */
export const refreshBrowser = defineTask(
  'refresh-browser',
  z.object({ subscriptionId: z.string(), conversationId: z.string() }),
  async (deps: PushDeps, { subscriptionId, conversationId }): Promise<Outcome> => {
    const found = await deps.db.read(async (reader) => {
      const browser = await reader.one<PushSubscriptionRow>('select * from push_subscription where id = ?', [
        subscriptionId,
      ]);
      const shown = await reader.one<PushedNoticeRow>(
        'select * from pushed_notice where subscription_id = ? and conversation_id = ?',
        [subscriptionId, conversationId],
      );
      const notice = browser && (await readNoticeOf(reader, browser, conversationId));
      return { browser, shown, notice };
    });
    const { browser, shown, notice } = found;
    if (!browser || !deps.vapid) return undefined;
    if (!notice?.stands) return shown && withdraw(deps, browser, shown);
    if (shown?.eventId === notice.eventId) return undefined;
    const ready = shown ? Date.parse(later(shown.pushedAt, gatherMs)) - deps.clock.now().getTime() : 0;
    if (ready > 0) return { againInMs: ready };
    return show(deps, browser, notice, shown);
  },
);

async function show(
  deps: PushDeps,
  browser: PushSubscriptionRow,
  notice: NoticeView,
  before: PushedNoticeRow | undefined,
): Promise<undefined> {
  // Said before it is done, so that a process that dies in between does not ring again.
  const claimed = await deps.db.transaction((tx) =>
    tx.query(
      `insert into pushed_notice (conversation_id, subscription_id, company_id, event_id, pushed_at) values (?, ?, ?, ?, ?)
       on conflict (conversation_id, subscription_id) do update set event_id = excluded.event_id, pushed_at = excluded.pushed_at
       where pushed_notice.event_id <> excluded.event_id returning 1 as claimed`,
      [notice.conversationId, browser.id, notice.companyId, notice.eventId, timeText(deps.clock)],
    ),
  );
  if (claimed.length === 0) return;
  const { conversationId, trigger, language } = notice;
  const url = `${deps.publicUrl}/conversations/${conversationId}`;
  try {
    await push(deps, browser, { kind: 'notice', conversationId, trigger, ...noticeWords(notice), url, language });
  } catch (error) {
    if (!(error instanceof UpstreamError) || error.kind === 'unknown') throw error;
    // Certainly not done: what is remembered goes back to what the browser shows.
    await deps.db.transaction(async (tx) => {
      await tx.query('delete from pushed_notice where conversation_id = ? and subscription_id = ? and event_id = ?', [
        conversationId,
        browser.id,
        notice.eventId,
      ]);
      if (!before) return;
      await tx.query(
        `insert into pushed_notice (conversation_id, subscription_id, company_id, event_id, pushed_at) values (?, ?, ?, ?, ?)
         on conflict do nothing`,
        [conversationId, browser.id, before.companyId, before.eventId, before.pushedAt],
      );
    });
    if (error.kind === 'retry') throw error;
    deps.log.info({ err: error }, 'a push service refused a notice');
  }
}

/** Takes a notice off the desktop; of one that still waits at the push service it takes the place (same topic). */
async function withdraw(deps: PushDeps, browser: PushSubscriptionRow, shown: PushedNoticeRow): Promise<undefined> {
  const { conversationId } = shown;
  await deps.db.transaction((tx) =>
    tx.query('delete from pushed_notice where conversation_id = ? and subscription_id = ?', [
      conversationId,
      browser.id,
    ]),
  );
  try {
    await push(deps, browser, { kind: 'withdraw', conversationId });
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
    // A notice that stays a little longer does no harm; the page takes it away too.
    deps.log.info({ err: error }, 'a notice could not be withdrawn');
  }
}

/**
 * Sends one message to one browser. A browser that is gone (404, 410) is forgotten, and that is no failure; answers whether
 * it was there. Throws UpstreamError (RFC 8030, 7.3; RFC 8292).
 */
export async function push(deps: PushDeps, browser: PushSubscriptionRow, message: PushMessage): Promise<boolean> {
  if (!deps.vapid) return false;
  const target = openTarget(deps, browser);
  const lookup = await publicLookup(deps, target.endpoint);
  const request = webpush.generateRequestDetails(target, JSON.stringify(message), {
    vapidDetails: deps.vapid,
    TTL: ttlSeconds,
    urgency: message.kind === 'withdraw' ? 'low' : 'high',
    contentEncoding: 'aes128gcm',
    ...(message.kind === 'test' ? {} : { topic: topicOf(message.conversationId) }),
  });
  const headers = Object.fromEntries(
    Object.entries(request.headers as Record<string, string | number>).map(([name, value]) => [name, String(value)]),
  );
  const outgoing: OutgoingRequest = {
    service: 'push',
    method: 'POST',
    url: request.endpoint,
    headers,
    body: request.body,
    timeoutMs: 10_000,
    maxBytes: 100_000,
    ...(lookup ? { lookup } : {}),
  };
  const answer = await deps.send(outgoing).catch((error: unknown) => {
    if (error instanceof UpstreamError && error.kind === 'unknown') {
      deps.log.info({ err: error }, 'it is not known whether a notice was taken');
      return null;
    }
    throw error;
  });
  if (answer === null || (answer.status >= 200 && answer.status < 300)) return true;
  if (answer.status === 404 || answer.status === 410) {
    await deps.db.transaction((tx) => forget(tx, browser.id));
    deps.log.info({ userId: browser.userId, status: answer.status }, 'a browser is gone and was forgotten');
    return false;
  }
  const failure = upstreamFailure('push', answer, 'POST', { reason: 'status' });
  // A push service that answers with an error has not taken it.
  if (failure.kind === 'refused' || failure.kind === 'reconnect') {
    throw new UpstreamError('push', 'refused', { status: answer.status, reason: 'status' });
  }
  throw new UpstreamError('push', 'retry', {
    status: answer.status,
    reason: 'status',
    ...(failure.retryAfterMs === undefined ? {} : { retryAfterMs: failure.retryAfterMs }),
  });
}

/** At most 32 characters of base64url (RFC 8030, 5.4). */
function topicOf(conversationId: string): string {
  return Buffer.from(sha256(conversationId), 'hex').subarray(0, 24).toString('base64url');
}
