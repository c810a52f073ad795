// The end of the mails by the address in each of them: a page that asks, and the one click of a mail program (RFC 8058).
import type { Context } from 'koa';
import type { Database } from '../db/database.ts';
import { endMails, type UnsubscribeLinks } from '../notify/unsubscribe.ts';
import { showPage } from './oauth.ts';

export interface UnsubscribeDeps {
  readonly db: Database;
  readonly unsubscribeLinks: UnsubscribeLinks;
}

/** Only asks: programs that look for dangerous links open it too. */
export function askToUnsubscribe(deps: UnsubscribeDeps, ctx: Context, token: string): void {
  if (!deps.unsubscribeLinks.read(token)) return showPage(ctx, 404, { key: 'unsubscribe.unknown' });
  showPage(ctx, 200, { key: 'unsubscribe.ask', form: { key: 'unsubscribe.confirm' } });
}

/** Needs no cookie and no sign-in, whoever sends it and whatever its body says: the token is the proof. */
export async function unsubscribeMails(deps: UnsubscribeDeps, ctx: Context, token: string): Promise<void> {
  const user = deps.unsubscribeLinks.read(token);
  if (!user) return showPage(ctx, 404, { key: 'unsubscribe.unknown' });
  await deps.db.transaction((tx) => endMails(tx, user));
  showPage(ctx, 200, { key: 'unsubscribe.done', action: { href: '/', key: 'page.toInbox' } });
}
