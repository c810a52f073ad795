// Erases the data of companies whose grace period after the last uninstall is over (A3). Runs at start and hourly.
import { z } from 'zod';
import { timeText, type Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Database, Tx } from '../db/database.ts';
import { defineTask, type Queue } from '../jobs/queue.ts';

export interface EraseDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly queue: Queue;
  readonly removeMedia: (mediaKey: string) => Promise<void>;
}

const hourMs = 3_600_000;

/** Every table that holds a company's rows, children first. */
const tables = [
  'search_index',
  'search_entry',
  'bridge_pending',
  'bridge_submission',
  'bridge_channel',
  'bridge',
  'noted_message',
  'note',
  'auto_link',
  'link',
  'record_request',
  'read_mark',
  'timeline_entry',
  'attachment',
  'message',
  'conversation',
  'contact_identity',
  'contact',
  'erased_message',
  'owner_request',
  'channel',
  'messenger_login',
  'change',
  'session',
  'token_budget',
  'pipedrive_webhook',
  'installation',
  'oauth_state',
  'audit_entry',
  'saved_reply',
  'pushed_notice',
  'push_subscription',
  'notice',
  'admin_notice',
  'app_user',
] as const;
/** Tables without a company of their own: found through the one they belong to. */
const through: Partial<Record<(typeof tables)[number], string>> = {
  search_index: 'rowid in (select number from search_entry where company_id = ?)',
  noted_message: 'link_id in (select id from link where company_id = ?)',
  contact_identity: 'channel_id in (select id from channel where company_id = ?)',
  erased_message: 'channel_id in (select id from channel where company_id = ?)',
  owner_request: 'channel_id in (select id from channel where company_id = ?)',
};

export const eraseCompanies = defineTask(
  'erase-companies',
  z.object({ once: z.boolean().optional() }),
  async (deps: EraseDeps, { once }) => {
    await eraseDue(deps);
    return once ? undefined : { againInMs: hourMs };
  },
);

/** Erases every company whose time has come. */
export async function eraseDue(deps: EraseDeps): Promise<void> {
  const due = await deps.db.read((reader) =>
    reader.query<{ id: string }>('select id from company where erase_at is not null and erase_at <= ?', [
      timeText(deps.clock),
    ]),
  );
  for (const { id } of due) {
    const media = await deps.db.transaction((tx) => eraseCompany(tx, id, timeText(deps.clock)));
    for (const key of media) await deps.removeMedia(key);
    deps.log.info({ companyId: id }, 'company erased');
  }
}

async function eraseCompany(tx: Tx, companyId: string, now: string): Promise<string[]> {
  // A new install in this moment takes the deadline back.
  const company = await tx.one('select 1 from company where id = ? and erase_at <= ?', [companyId, now]);
  if (!company) return [];
  const media = await tx.query<{ mediaKey: string }>(
    `select media_key from attachment where company_id = ? and media_key is not null
     union all select avatar_media_key from contact where company_id = ? and avatar_media_key is not null`,
    [companyId, companyId],
  );
  for (const table of tables)
    await tx.query(`delete from ${table} where ${through[table] ?? 'company_id = ?'}`, [companyId]);
  await tx.query('delete from company where id = ?', [companyId]);
  return media.map(({ mediaKey }) => mediaKey);
}
