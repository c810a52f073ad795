// E-mail notices: gathered into one mail per user, at most one per conversation in ten minutes, and none about what was read
// or answered meanwhile (N4). What a mail holds is fixed before it is sent, and its Message-ID stays the same over retries.
import { z } from 'zod';
import { later, timeText, type Clock } from '../base/clock.ts';
import { UpstreamError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { parseSettings, type CompanySettings } from '../companies/settings.ts';
import type { Database, Reader, Tx } from '../db/database.ts';
import type { CompanyRow, MessageKind, UserRow } from '../db/tables.ts';
import { previewOf } from '../inbox/queries.ts';
import { defineTask, type Queue, type RunningJob } from '../jobs/queue.ts';
import { composeNoticeMail, type MailConversation } from './compose-mail.ts';
import { readNotices, type NoticeView } from './notices.ts';
import type { Mailer } from './smtp.ts';
import type { UnsubscribeLinks } from './unsubscribe.ts';

export interface MailDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly queue: Queue;
  readonly publicUrl: string;
  /** Null without a mail server. */
  readonly mailer: Mailer | null;
  readonly unsubscribeLinks: UnsubscribeLinks;
  readonly mailDebounceMs: number;
}

/** One conversation mails a user no more often than this (N4). */
const apartMs = 600_000;
/** Different conversations gather for so many times the usual wait once a mail has just left. */
const restTimes = 4;
const shownConversations = 20;
const shownLines = 3;

const user = z.object({ companyId: z.string(), userId: z.string() });
type UserKey = z.infer<typeof user>;

/** Sends what waits for one user. Several may be queued for him; whoever comes first takes all that may go. */
export const mailNotices = defineTask('mail-notices', user, async (deps: MailDeps, key, job) => {
  if (!deps.mailer) return undefined;
  // A mail begun before is finished first, with its own Message-ID.
  for (;;) {
    const begun = await deps.db.transaction((tx) => takeOver(tx, key, job));
    if (begun === undefined) break;
    await sendMail(deps, deps.mailer, key, begun);
  }
  const planned = await deps.db.transaction((tx) => plan(deps, tx, key, job));
  if (planned !== undefined) await sendMail(deps, deps.mailer, key, planned);
  return undefined;
});

/** A mail that was planned and not confirmed, by this job or by one that is no more. */
async function takeOver(tx: Tx, { companyId, userId }: UserKey, job: RunningJob): Promise<string | undefined> {
  const row = await tx.one<{ mailId: string }>(
    `update notice set mail_job = ? where company_id = ? and user_id = ? and via = 'email' and mail_id = (
       select n.mail_id from notice n where n.company_id = ? and n.user_id = ? and n.via = 'email' and n.mail_id is not null
         and (n.mail_job = ? or not exists (select 1 from job j where j.id = n.mail_job and j.parked_at is null))
       order by n.mail_id limit 1) returning mail_id`,
    [job.id, companyId, userId, companyId, userId, job.id],
  );
  return row?.mailId;
}

/** Puts everything that may go now into one mail, and has what must wait come back. */
async function plan(deps: MailDeps, tx: Tx, key: UserKey, job: RunningJob): Promise<string | undefined> {
  const waiting = await readNotices(
    tx,
    `n.company_id = ? and n.user_id = ? and n.via = 'email' and n.state = 'pending' and n.mail_id is null`,
    [key.companyId, key.userId],
  );
  const now = timeText(deps.clock);
  const old = waiting.filter(({ stands }) => !stands);
  const due = waiting.filter(({ stands, toldAt }) => stands && (toldAt === null || later(toldAt, apartMs) <= now));
  const early = waiting.filter((notice) => notice.stands && !due.includes(notice));
  for (const notice of old) await mark(tx, notice, `state = 'withdrawn'`);
  for (const notice of early) {
    await comeBack(deps, tx, key, notice.conversationId, later(notice.toldAt!, apartMs), now);
  }
  if (due.length === 0) return undefined;
  const rested = await restUntil(deps, tx, key);
  if (rested > now) {
    await comeBack(deps, tx, key, 'rest', rested, now);
    return undefined;
  }
  const mailId = newId();
  for (const notice of due) await mark(tx, notice, 'mail_id = ?, mail_job = ?', [mailId, job.id]);
  return mailId;
}

function comeBack(deps: MailDeps, tx: Tx, key: UserKey, what: string, at: string, now: string): Promise<void> {
  const delayMs = Math.max(1_000, Date.parse(at) - Date.parse(now));
  return deps.queue.enqueue(tx, mailNotices, key, {
    key: `${key.companyId}:${key.userId}:${what}`,
    delayMs,
    maxWaitMs: delayMs,
  });
}

async function restUntil(deps: MailDeps, tx: Tx, { companyId, userId }: UserKey): Promise<string> {
  const last = await tx.one<{ toldAt: string | null }>(
    `select max(told_at) as told_at from notice where company_id = ? and user_id = ? and via = 'email'`,
    [companyId, userId],
  );
  return last?.toldAt ? later(last.toldAt, deps.mailDebounceMs * restTimes) : '';
}

async function mark(
  tx: Tx,
  { conversationId, companyId, userId }: Pick<NoticeView, 'conversationId' | 'companyId' | 'userId'>,
  set: string,
  parameters: readonly string[] = [],
): Promise<void> {
  await tx.query(
    `update notice set ${set} where conversation_id = ? and user_id = ? and company_id = ? and via = 'email'`,
    [...parameters, conversationId, userId, companyId],
  );
}

async function sendMail(deps: MailDeps, mailer: Mailer, key: UserKey, mailId: string): Promise<void> {
  const loaded = await deps.db.read((reader) => load(reader, key, mailId));
  const standing = loaded.notices.filter(({ stands }) => stands);
  const gone = loaded.notices.filter(({ stands }) => !stands);
  const address = loaded.user?.email ?? '';
  if (standing.length > 0 && isMailable(mailer, address)) {
    const { now, words, unsubscribeUrl } = compose(deps, key, loaded, standing);
    try {
      await mailer.send({
        to: { name: loaded.user!.name, address },
        ...words,
        messageId: `<${mailId}@${mailer.host}>`,
        date: now,
        unsubscribeUrl,
      });
      deps.log.info({ userId: key.userId, conversations: standing.length }, 'notices mailed');
    } catch (error) {
      if (!(error instanceof UpstreamError) || error.kind !== 'refused') throw error;
      // The address or the mail will never be taken: what is new comes with the next mail, if the address is mended.
      deps.log.info({ err: error, userId: key.userId }, 'a mail was refused');
    }
  }
  await deps.db.transaction(async (tx) => {
    const now = timeText(deps.clock);
    for (const notice of standing) {
      // What came in while the mail was on its way stays for the next one.
      await tx.query(
        `update notice set mail_id = null, mail_job = null, told_at = ?,
           state = case when event_id = ? and state = 'pending' then 'told' else state end,
           after_number = case when event_id = ? then after_number else ? end
         where conversation_id = ? and user_id = ? and company_id = ? and via = 'email' and mail_id = ?`,
        [
          now,
          notice.eventId,
          notice.eventId,
          notice.inboundCount,
          notice.conversationId,
          notice.userId,
          notice.companyId,
          mailId,
        ],
      );
    }
    for (const notice of gone) {
      const { eventId } = notice;
      await mark(
        tx,
        notice,
        `mail_id = null, mail_job = null, state = case when event_id = ? then 'withdrawn' else state end`,
        [eventId],
      );
    }
  });
}

/** An address that can be written to, and is not our own: a notice to the sender of notices would go round for ever. */
function isMailable(mailer: Mailer, address: string): boolean {
  return /^[^\s@<>,;:"]+@[^\s@<>,;:"]+$/.test(address) && address.toLowerCase() !== mailer.from;
}

interface Loaded {
  readonly notices: readonly NoticeView[];
  readonly user: UserRow | undefined;
  readonly company: CompanyRow | undefined;
  readonly settings: CompanySettings | undefined;
  readonly lines: ReadonlyMap<string, readonly LineRow[]>;
}

interface LineRow {
  readonly conversationId: string;
  readonly kind: MessageKind;
  readonly text: string;
  readonly createdAt: string;
}

async function load(reader: Reader, { companyId, userId }: UserKey, mailId: string): Promise<Loaded> {
  const notices = await readNotices(reader, `n.company_id = ? and n.user_id = ? and n.mail_id = ?`, [
    companyId,
    userId,
    mailId,
  ]);
  const row = await reader.one<UserRow>('select * from app_user where company_id = ? and id = ?', [companyId, userId]);
  const company = await reader.one<CompanyRow>('select * from company where id = ?', [companyId]);
  const settings = company && parseSettings(company);
  const lines = new Map<string, LineRow[]>();
  if (settings?.mailContent) {
    for (const notice of shownOf(notices.filter(({ stands }) => stands))) {
      const last = await reader.query<LineRow>(
        `select conversation_id, kind, substr(text, 1, 600) as text, created_at from message
         where conversation_id = ? and direction = 'inbound' and inbound_number > ?
         order by created_at desc, id desc limit ${shownLines}`,
        [notice.conversationId, firstShownAfter(notice)],
      );
      lines.set(notice.conversationId, last.reverse());
    }
  }
  return { notices, user: row, company, settings, lines };
}

function firstShownAfter(notice: NoticeView): number {
  const readOrTold = Math.max(notice.afterNumber, notice.readCount);
  // Who is given a conversation wants to know what it is about, read by others or not.
  return notice.trigger === 'assigned'
    ? Math.min(readOrTold, Math.max(0, notice.inboundCount - shownLines))
    : readOrTold;
}

/** The newest, in the order in which they came. */
function shownOf<T>(notices: readonly T[]): readonly T[] {
  return notices.slice(-shownConversations);
}

function compose(deps: MailDeps, key: UserKey, { user: row, company, lines }: Loaded, standing: readonly NoticeView[]) {
  const now = deps.clock.now();
  const shown = shownOf(standing);
  const { language, timeZone } = row!;
  const unsubscribeUrl = deps.unsubscribeLinks.url(key);
  const words = composeNoticeMail({
    language,
    timeZone,
    now: now.toISOString(),
    companyName: company?.name ?? '',
    conversations: shown.map((notice): MailConversation => ({
      contactName: notice.contactName,
      channelName: notice.channelName,
      trigger: notice.trigger,
      byName: notice.byName,
      newCount: notice.newCount,
      lines: (lines.get(notice.conversationId) ?? []).map(({ kind, text, createdAt }) => ({
        words: previewOf(language, kind, text),
        at: createdAt,
      })),
      replyUntil: notice.replyUntil,
      url: `${deps.publicUrl}/conversations/${notice.conversationId}`,
    })),
    more: standing.length - shown.length,
    inboxUrl: `${deps.publicUrl}/?notifications`,
    unsubscribeUrl,
  });
  return { now, words, unsubscribeUrl };
}
