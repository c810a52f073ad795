// The test buttons: sends one notice by one way, now, and says why it cannot arrive (N2).
import { UpstreamError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { text } from '../base/texts.ts';
import type { Viewer } from '../companies/access.ts';
import type { UserRow } from '../db/tables.ts';
import type { Presence } from '../inbox/presence.ts';
import { composeTroubleMail } from './compose-mail.ts';
import type { MailDeps } from './mail.ts';
import { push, type PushDeps } from './push.ts';
import { browsersOf } from './subscriptions.ts';

export type TryReason =
  | 'push_off'
  | 'no_browser'
  | 'browser_gone'
  | 'in_focus'
  | 'push_failed'
  | 'mail_off'
  | 'no_address'
  | 'mail_refused'
  | 'mail_failed';

export interface TryOutcome {
  /** The push service or the mail server has taken it. */
  readonly sent: boolean;
  readonly reason: TryReason | null;
  /** The same for people. */
  readonly message: string;
  /** Comes with the push message, so that a page can see that it was this one that arrived. */
  readonly testId: string;
}

type Tried = Pick<TryOutcome, 'sent' | 'reason'>;
const taken: Tried = { sent: true, reason: null };
const because = (reason: TryReason): Tried => ({ sent: false, reason });

/** With a conversation, answers as a notice of that conversation would fare: none while it is open and in focus (N3). */
export async function tryDesktop(
  deps: PushDeps & { readonly presence: Presence },
  viewer: Viewer,
  conversationId: string | undefined,
): Promise<TryOutcome> {
  const testId = newId();
  const attempt = async (): Promise<Tried> => {
    if (!deps.vapid) return because('push_off');
    if (conversationId !== undefined && deps.presence.isFocused(viewer.companyId, conversationId, viewer.userId)) {
      return because('in_focus');
    }
    const browsers = await deps.db.read((reader) => browsersOf(reader, viewer));
    if (browsers.length === 0) return because('no_browser');
    const message = {
      kind: 'test',
      testId,
      title: text(viewer.language, 'notify.test.title'),
      body: text(viewer.language, 'notify.test.body'),
      url: `${deps.publicUrl}/`,
    } as const;
    const outcomes = await Promise.all(
      browsers.map((browser) =>
        push(deps, browser, message).catch((error: unknown) => {
          if (!(error instanceof UpstreamError)) throw error;
          deps.log.info({ err: error, userId: viewer.userId }, 'a test notice was not taken');
          return 'failed' as const;
        }),
      ),
    );
    if (outcomes.includes(true)) return taken;
    return because(outcomes.includes('failed') ? 'push_failed' : 'browser_gone');
  };
  return outcomeOf(viewer, testId, await attempt());
}

export async function tryEmail(deps: MailDeps, viewer: Viewer): Promise<TryOutcome> {
  const testId = newId();
  const attempt = async (): Promise<Tried> => {
    const { mailer } = deps;
    if (!mailer) return because('mail_off');
    const found = await deps.db.read(async (reader) => ({
      user: await reader.one<UserRow>('select * from app_user where company_id = ? and id = ?', [
        viewer.companyId,
        viewer.userId,
      ]),
      company: await reader.one<{ name: string }>('select name from company where id = ?', [viewer.companyId]),
    }));
    const address = found.user?.email ?? '';
    if (!address.includes('@') || address.toLowerCase() === mailer.from) return because('no_address');
    const mail = composeTroubleMail({
      language: viewer.language,
      title: text(viewer.language, 'notify.test.title'),
      body: text(viewer.language, 'notify.test.body'),
      action: { words: text(viewer.language, 'page.toInbox'), url: `${deps.publicUrl}/` },
      companyName: found.company?.name ?? '',
    });
    try {
      await mailer.send({
        to: { name: viewer.name, address },
        ...mail,
        messageId: `<${testId}@${mailer.host}>`,
        date: deps.clock.now(),
        unsubscribeUrl: deps.unsubscribeLinks.url(viewer),
      });
      return taken;
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      deps.log.info({ err: error, userId: viewer.userId }, 'a test mail was not taken');
      return because(error.kind === 'refused' ? 'mail_refused' : 'mail_failed');
    }
  };
  return outcomeOf(viewer, testId, await attempt());
}

function outcomeOf(viewer: Viewer, testId: string, tried: Tried): TryOutcome {
  const key = tried.reason === null ? 'notify.arrived' : `notify.why.${tried.reason}`;
  return { ...tried, message: text(viewer.language, key), testId };
}
