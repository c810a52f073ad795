// What somebody must put right: a channel that is broken, an installation that must be renewed, a budget that is spent, a
// colleague's wish. Told once for each change of state, in the inbox and by e-mail, to those who can do it.
import { z } from 'zod';
import { timeText, type Clock } from '../base/clock.ts';
import { UpstreamError, UserError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { text } from '../base/texts.ts';
import type { Viewer } from '../companies/access.ts';
import type { Reader, Tx } from '../db/database.ts';
import type { AdminNoticeRow, ChannelRow, UserRow } from '../db/tables.ts';
import type { Happening } from '../inbox/changes.ts';
import { defineTask, type Queue } from '../jobs/queue.ts';
import { composeTroubleMail } from './compose-mail.ts';
import type { MailDeps } from './mail.ts';

export interface TroubleDeps {
  readonly queue: Queue;
  readonly clock: Clock;
  readonly mails: boolean;
}

type Kind = AdminNoticeRow['kind'];
interface Trouble {
  readonly companyId: string;
  readonly kind: Kind;
  readonly subjectId: string;
  readonly reason?: string | null;
  readonly byName?: string | null;
}

/** Channels, wishes and installations: begins or ends the notice that their state calls for. */
export async function followTrouble(deps: TroubleDeps, tx: Tx, happening: Happening): Promise<void> {
  if (happening.kind === 'channel.changed') {
    const { companyId, channelId: subjectId } = happening;
    const channel = await tx.one<ChannelRow>('select * from channel where id = ?', [subjectId]);
    if (channel?.state === 'broken') {
      await beginTrouble(deps, tx, { companyId, kind: 'channel_broken', subjectId, reason: channel.brokenReason });
    } else {
      await endTrouble(deps, tx, { companyId, kind: 'channel_broken', subjectId });
      if (channel?.state === 'connected')
        await endTrouble(deps, tx, { companyId, kind: 'asked_to_reconnect', subjectId });
      if (channel?.visibility === 'shared')
        await endTrouble(deps, tx, { companyId, kind: 'asked_to_share', subjectId });
    }
  }
  if (happening.kind === 'owner.asked') {
    const { companyId, channelId: subjectId, what, by } = happening;
    const trouble = { companyId, kind: `asked_to_${what}`, subjectId, byName: by.name } as const;
    // A wish of days ago that still stands is told again; how often somebody may ask is the inbox's to say (N5).
    await endTrouble(deps, tx, trouble);
    await beginTrouble(deps, tx, trouble);
  }
  if (happening.kind === 'user.changed') {
    const { companyId, userId: subjectId } = happening;
    const dead = await tx.one(
      `select 1 from installation where company_id = ? and user_id = ? and state = 'reconnect'`,
      [companyId, subjectId],
    );
    const trouble = { companyId, kind: 'reconnect_needed', subjectId } as const;
    await (dead ? beginTrouble(deps, tx, trouble) : endTrouble(deps, tx, trouble));
  }
}

/** The day's calls to Pipedrive are used up, or there are some again (H7). */
export function followBudget(deps: TroubleDeps, tx: Tx, budget: { companyId: string; spent: boolean }): Promise<void> {
  const trouble = { companyId: budget.companyId, kind: 'budget_spent', subjectId: budget.companyId } as const;
  return budget.spent ? beginTrouble(deps, tx, trouble) : endTrouble(deps, tx, trouble);
}

async function beginTrouble(deps: TroubleDeps, tx: Tx, trouble: Trouble): Promise<void> {
  const begun = await tx.one<AdminNoticeRow>(
    `insert into admin_notice (id, company_id, kind, subject_id, reason, by_name, created_at) values (?, ?, ?, ?, ?, ?, ?)
     on conflict (company_id, kind, subject_id) where ended_at is null do nothing returning *`,
    [
      newId(),
      trouble.companyId,
      trouble.kind,
      trouble.subjectId,
      trouble.reason ?? null,
      trouble.byName ?? null,
      timeText(deps.clock),
    ],
  );
  if (!begun || !deps.mails) return;
  for (const { id: userId } of await audienceOf(tx, begun)) {
    await deps.queue.enqueue(
      tx,
      mailTrouble,
      { noticeId: begun.id, companyId: begun.companyId, userId },
      { key: `${begun.id}:${userId}` },
    );
  }
}

async function endTrouble(
  deps: Pick<TroubleDeps, 'clock'>,
  tx: Tx,
  { companyId, kind, subjectId }: Trouble,
): Promise<void> {
  await tx.query(
    'update admin_notice set ended_at = ? where company_id = ? and kind = ? and subject_id = ? and ended_at is null',
    [timeText(deps.clock), companyId, kind, subjectId],
  );
}

/**
 * Who is told: the admins; of a channel its owner too, and of a private one its owner alone (A8); of a wish the owner; of an
 * installation that must be renewed its user too.
 */
async function audienceOf(reader: Pick<Reader, 'query' | 'one'>, notice: AdminNoticeRow): Promise<UserRow[]> {
  const users = await reader.query<UserRow>(
    `select u.* from app_user u join installation i on i.company_id = u.company_id and i.user_id = u.id
     where u.company_id = ? order by u.id`,
    [notice.companyId],
  );
  const channel = await reader.one<ChannelRow>('select * from channel where id = ? and company_id = ?', [
    notice.subjectId,
    notice.companyId,
  ]);
  return users.filter((user) => {
    const isAdmin = user.isAdmin === 1;
    if (notice.kind === 'budget_spent') return isAdmin;
    if (notice.kind === 'reconnect_needed') return isAdmin || user.id === notice.subjectId;
    if (!channel) return false;
    const isOwner = channel.ownerId === user.id;
    return isOwner || (notice.kind === 'channel_broken' && channel.visibility === 'shared' && isAdmin);
  });
}

export interface ShownTrouble {
  readonly id: string;
  readonly kind: Kind;
  readonly title: string;
  readonly body: string;
  readonly action: string;
  readonly url: string;
  readonly dismissible: boolean;
  readonly createdAt: string;
}

/** What this viewer is to know now, oldest first. */
export async function listTroubles(reader: Reader, viewer: Viewer): Promise<ShownTrouble[]> {
  const open = await reader.query<AdminNoticeRow>(
    'select * from admin_notice where company_id = ? and ended_at is null order by id',
    [viewer.companyId],
  );
  const shown: ShownTrouble[] = [];
  for (const notice of open) {
    const audience = await audienceOf(reader, notice);
    if (!audience.some(({ id }) => id === viewer.userId)) continue;
    const words = await troubleWords(reader, notice, viewer);
    shown.push({
      id: notice.id,
      kind: notice.kind,
      ...words,
      dismissible: isWish(notice),
      createdAt: notice.createdAt,
    });
  }
  return shown;
}

/** A wish can be put aside; what is broken stays until it is mended. */
export async function dismissTrouble(deps: { clock: Clock }, tx: Tx, viewer: Viewer, id: string): Promise<void> {
  const notice = await tx.one<AdminNoticeRow>(
    'select * from admin_notice where id = ? and company_id = ? and ended_at is null',
    [id, viewer.companyId],
  );
  if (!notice || !(await audienceOf(tx, notice)).some(({ id: userId }) => userId === viewer.userId)) {
    throw new UserError('not_found');
  }
  if (!isWish(notice)) throw new UserError('conflict', { kind: notice.kind });
  await endTrouble(deps, tx, notice);
}

function isWish({ kind }: Pick<AdminNoticeRow, 'kind'>): boolean {
  return kind === 'asked_to_reconnect' || kind === 'asked_to_share';
}

async function troubleWords(
  reader: Pick<Reader, 'one'>,
  notice: AdminNoticeRow,
  { language, userId }: { language: string; userId: string },
): Promise<{ title: string; body: string; action: string; url: string }> {
  const channel = await reader.one<ChannelRow>('select * from channel where id = ?', [notice.subjectId]);
  const whose = await reader.one<UserRow>('select * from app_user where company_id = ? and id = ?', [
    notice.companyId,
    notice.subjectId,
  ]);
  const values = { channel: channel?.name ?? '', name: notice.byName ?? whose?.name ?? '' };
  const isOwn = notice.kind === 'reconnect_needed' && notice.subjectId === userId;
  const key = `trouble.${notice.kind}${isOwn ? '.own' : ''}`;
  const body =
    notice.kind === 'channel_broken'
      ? text(language, channel?.provider === 'whatsapp' ? 'health.credentials' : 'health.token')
      : text(language, `${key}.body`, values);
  return {
    title: text(language, `${key}.title`, values),
    body,
    action: text(
      language,
      isOwn ? 'trouble.install' : notice.kind === 'budget_spent' ? 'trouble.inbox' : 'trouble.settings',
    ),
    url: isOwn ? '/install' : notice.kind === 'budget_spent' ? '/' : '/settings',
  };
}

/** One mail to one user about one change of state; its Message-ID is that of the pair, so a repetition is recognised. */
export const mailTrouble = defineTask(
  'mail-trouble',
  z.object({ noticeId: z.string(), companyId: z.string(), userId: z.string() }),
  async (deps: MailDeps, { noticeId, companyId, userId }) => {
    const { mailer } = deps;
    if (!mailer) return;
    const found = await deps.db.read(async (reader) => {
      const notice = await reader.one<AdminNoticeRow>(
        'select * from admin_notice where id = ? and company_id = ? and ended_at is null',
        [noticeId, companyId],
      );
      const user = notice && (await audienceOf(reader, notice)).find(({ id }) => id === userId);
      const company = await reader.one<{ name: string }>('select name from company where id = ?', [companyId]);
      return user && { user, company, words: await troubleWords(reader, notice, { language: user.language, userId }) };
    });
    if (!found || found.user.email.toLowerCase() === mailer.from) return;
    const { user, words, company } = found;
    const mail = composeTroubleMail({
      language: user.language,
      title: words.title,
      body: words.body,
      action: { words: words.action, url: `${deps.publicUrl}${words.url}` },
      companyName: company?.name ?? '',
    });
    try {
      await mailer.send({
        to: { name: user.name, address: user.email },
        ...mail,
        messageId: `<${noticeId}.${userId}@${mailer.host}>`,
        date: deps.clock.now(),
      });
    } catch (error) {
      if (!(error instanceof UpstreamError) || error.kind !== 'refused') throw error;
      deps.log.info({ err: error, userId }, 'a mail was refused');
    }
  },
);
