// Keeps Pipedrive's webhooks alive for each company, and looks by itself where nothing comes through them (L6).
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { later, timeText, type Clock } from '../base/clock.ts';
import type { Vault } from '../base/crypto.ts';
import { UpstreamError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Database, Reader } from '../db/database.ts';
import type { LinkRow, PipedriveWebhookRow } from '../db/tables.ts';
import { defineTask, type Outcome, type Queue } from '../jobs/queue.ts';
import type { PipedriveClient } from '../pipedrive/client.ts';
import { presentIds } from '../pipedrive/records.ts';
import type { Grant } from '../pipedrive/tokens.ts';
import { listSubscriptions, subscribe, watchedObjects } from '../pipedrive/webhooks.ts';
import type { Changes } from './changes.ts';
import { followRecord } from './link-follow.ts';

export interface WatchDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly vault: Vault;
  readonly queue: Queue;
  readonly changes: Changes;
  readonly publicUrl: string;
  readonly pipedriveFor: (grant: Grant) => PipedriveClient;
  readonly grants: (companyId: string, preferred: readonly (string | null)[]) => Promise<Grant[]>;
}

export const webhookUser = 'pipedrive';
const dayMs = 24 * 3_600_000;
const soonMs = 10 * 60_000;

/** Subscribes what is missing, and looks again every day: Pipedrive drops a webhook that failed for three days. */
export const keepWebhooks = defineTask(
  'keep-webhooks',
  z.object({ companyId: z.string(), once: z.boolean().optional() }),
  async (deps: WatchDeps, { companyId, once }): Promise<Outcome> => {
    const again = once ? undefined : { againInMs: dayMs };
    for (const grant of await deps.grants(companyId, [])) {
      try {
        await subscribeMissing(deps, grant);
        return again;
      } catch (error) {
        if (!(error instanceof UpstreamError)) throw error;
        if (error.kind === 'refused')
          await store(deps, companyId, { state: 'refused', reason: error.reason ?? 'refused' });
        // A token that is dead, or a user who may not: the next one is asked.
        else if (error.kind !== 'reconnect') return { againInMs: soonMs };
      }
    }
    return again;
  },
);

async function subscribeMissing(deps: WatchDeps, grant: Grant): Promise<void> {
  const { companyId, userId } = grant;
  const client = deps.pipedriveFor(grant);
  const url = `${deps.publicUrl}/webhooks/pipedrive/${companyId}`;
  const password = await passwordOf(deps, companyId);
  const hooks: Record<string, string> = {};
  for (const { id, object, url: known } of await listSubscriptions(client)) if (known === url) hooks[object] = id;
  for (const object of watchedObjects) {
    hooks[object] ??= await subscribe(client, object, { url, user: webhookUser, password });
  }
  await store(deps, companyId, { state: 'active', reason: null, hooks: JSON.stringify(hooks), userId });
}

/** Made once and kept: what is subscribed already carries it. */
async function passwordOf(deps: WatchDeps, companyId: string): Promise<string> {
  const fresh = deps.vault.seal(randomBytes(24).toString('base64url'), webhookPlace(companyId));
  const row = await deps.db.transaction(async (tx) => {
    await tx.query(
      `insert into pipedrive_webhook (company_id, sealed_password, hooks, user_id, state, reason, received_at, checked_at)
       values (?, ?, '{}', null, 'refused', 'new', null, ?) on conflict do nothing`,
      [companyId, fresh, timeText(deps.clock)],
    );
    return webhookOf(tx, companyId);
  });
  return deps.vault.open(row!.sealedPassword, webhookPlace(companyId));
}

export function webhookOf(reader: Pick<Reader, 'one'>, companyId: string): Promise<PipedriveWebhookRow | undefined> {
  return reader.one<PipedriveWebhookRow>('select * from pipedrive_webhook where company_id = ?', [companyId]);
}

export function webhookPlace(companyId: string): string {
  return `pipedrive_webhook:${companyId}:password`;
}

async function store(
  deps: WatchDeps,
  companyId: string,
  facts: { state: 'active' | 'refused'; reason: string | null; hooks?: string; userId?: string },
): Promise<void> {
  await deps.db.transaction((tx) =>
    tx.query(
      `update pipedrive_webhook set state = ?, reason = ?, hooks = coalesce(?, hooks), user_id = coalesce(?, user_id), checked_at = ?
       where company_id = ?`,
      [facts.state, facts.reason, facts.hooks ?? null, facts.userId ?? null, timeText(deps.clock), companyId],
    ),
  );
}

const roundMs = 60_000;
/** Links of conversations in which nobody has written for so long are left to the moment when somebody does. */
const recentMs = 30 * dayMs;
const mostOfEach = 100;
const mostLeads = 10;
/** Of the day's tokens, what looking by ourselves may cost. */
const share = 0.1;
const supposedLimit = 300_000;
/** Tokens of a usual round: one list of persons or deals. */
const usualCost = 10;
/** An event may come before the answer to the call that made it, and not each one's time is kept. */
const slackMs = 30_000;

/** Looks every minute for companies whose webhooks bring nothing, as often as their tokens allow. */
export const pollRecords = defineTask('poll-records', z.object({}), async (deps: WatchDeps): Promise<Outcome> => {
  const now = timeText(deps.clock);
  const companies = await deps.db.read((reader) => companiesToPoll(reader, now));
  for (const { companyId, dailyLimit } of companies) {
    const [grant] = await deps.grants(companyId, []);
    if (!grant) continue;
    const links = await deps.db.read((reader) => linksToPoll(reader, companyId, now, dailyLimit ?? supposedLimit));
    if (links.length === 0) continue;
    try {
      await look(deps, grant, links, now);
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      deps.log.debug({ err: error, companyId }, 'records could not be looked at');
    }
  }
  return { againInMs: roundMs };
});

interface Watched {
  companyId: string;
  dailyLimit: number | null;
  state: string | null;
  receivedAt: string | null;
  wroteAt: string | null;
}

/** Webhooks count as alive when something came since the last note of ours: each note makes an event. */
async function companiesToPoll(reader: Reader, now: string): Promise<Watched[]> {
  const companies = await reader.query<Watched>(
    `select c.id as company_id, b.daily_limit, w.state, w.received_at,
       (select max(n.attempted_at) from note n
        where n.company_id = c.id and n.pipedrive_note_id is not null and n.attempted_at < ?) as wrote_at
     from company c
     left join pipedrive_webhook w on w.company_id = c.id
     left join token_budget b on b.company_id = c.id
     where exists (select 1 from link l where l.company_id = c.id and l.state = 'active' and l.removed_at is null)`,
    [later(now, -roundMs)],
  );
  return companies.filter(
    ({ state, receivedAt, wroteAt }) =>
      state !== 'active' || receivedAt === null || (wroteAt !== null && wroteAt > later(receivedAt, slackMs)),
  );
}

async function linksToPoll(reader: Reader, companyId: string, now: string, dailyLimit: number): Promise<LinkRow[]> {
  const links: LinkRow[] = [];
  for (const [type, most] of [
    ['person', mostOfEach],
    ['deal', mostOfEach],
    ['lead', mostLeads],
  ] as const) {
    links.push(
      ...(await reader.query<LinkRow>(
        `select l.* from link l join conversation c on c.id = l.conversation_id
         where l.company_id = ? and l.type = ? and l.state = 'active' and l.removed_at is null and c.last_message_at > ?
           and (l.checked_at is null or l.checked_at <= ?)
         order by l.checked_at limit ${most}`,
        [companyId, type, later(now, -recentMs), later(now, -pauseMs(dailyLimit))],
      )),
    );
  }
  return links;
}

/** Small budgets are looked at less often. A little under the round, or every other round would be missed. */
function pauseMs(dailyLimit: number): number {
  return Math.max(roundMs, Math.round((usualCost * dayMs) / (dailyLimit * share))) - 5_000;
}

async function look(deps: WatchDeps, grant: Grant, links: readonly LinkRow[], now: string): Promise<void> {
  const client = deps.pipedriveFor(grant);
  for (const type of ['person', 'deal', 'lead'] as const) {
    const ofType = links.filter((link) => link.type === type);
    if (ofType.length === 0) continue;
    const present = await presentIds(client, type, [...new Set(ofType.map(({ recordId }) => recordId))]);
    await deps.db.transaction(async (tx) => {
      for (const link of ofType) {
        if (present.has(link.recordId)) {
          await tx.query('update link set checked_at = ? where id = ?', [now, link.id]);
          continue;
        }
        await deps.queue.enqueue(
          tx,
          followRecord,
          { linkId: link.id, since: now },
          { lane: `link:${link.id}`, key: link.id },
        );
      }
    });
  }
}
