// The address in each mail by which one click ends them (RFC 8058): signed, so that it needs no sign-in and no storage.
import { hmac, sameSecret } from '../base/crypto.ts';
import { changeNotifications, readNotifications } from '../companies/settings.ts';
import type { Tx } from '../db/database.ts';

export interface UnsubscribeLinks {
  url(user: { companyId: string; userId: string }): string;
  /** Whose mails this token ends, or nothing when we did not make it. */
  read(token: string): { companyId: string; userId: string } | undefined;
}

export function createUnsubscribeLinks(deps: { secret: string; publicUrl: string }): UnsubscribeLinks {
  const sign = (companyId: string, userId: string): string =>
    hmac('sha256', deps.secret, `unsubscribe|${companyId}|${userId}`).toString('base64url');
  return {
    url: ({ companyId, userId }) => `${deps.publicUrl}/unsubscribe/${companyId}.${userId}.${sign(companyId, userId)}`,
    read: (token) => {
      const [companyId = '', userId = '', signature = '', ...rest] = token.split('.');
      if (rest.length > 0 || !sameSecret(signature, sign(companyId, userId))) return undefined;
      return { companyId, userId };
    },
  };
}

/** Switches off all four kinds of mail; what is on the desktop stays. Again, it changes nothing. */
export async function endMails(tx: Tx, user: { companyId: string; userId: string }): Promise<void> {
  const { desktop } = await readNotifications(tx, user);
  const email = { mine: false, others: false, unassigned: false, assigned: false };
  await changeNotifications(tx, user, { desktop, email });
}
