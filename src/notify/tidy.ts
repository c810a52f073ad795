// Forgets notices that nobody will be told of any more, so that they do not pile up with the conversations.
import { z } from 'zod';
import { timeText, type Clock } from '../base/clock.ts';
import type { Database } from '../db/database.ts';
import { defineTask } from '../jobs/queue.ts';

const keptMs = 7 * 86_400_000;
const everyMs = 6 * 3_600_000;

export const tidyNotices = defineTask('tidy-notices', z.object({}), async (deps: { db: Database; clock: Clock }) => {
  const before = timeText(deps.clock, -keptMs);
  await deps.db.transaction(async (tx) => {
    await tx.query(`delete from notice where event_at < ? and mail_id is null`, [before]);
    await tx.query('delete from pushed_notice where pushed_at < ?', [before]);
    await tx.query('delete from admin_notice where ended_at < ?', [before]);
  });
  return { againInMs: everyMs };
});
