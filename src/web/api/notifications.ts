// Calls about notices: a user's switches, his test buttons, his browsers, and what he as an admin must know.
import type { Viewer } from '../../companies/access.ts';
import { changeNotifications, readNotifications, type NotificationSwitches } from '../../companies/settings.ts';
import type { Database } from '../../db/database.ts';
import type { Presence } from '../../inbox/presence.ts';
import { dismissTrouble, listTroubles } from '../../notify/admin-notices.ts';
import type { MailDeps } from '../../notify/mail.ts';
import type { PushDeps } from '../../notify/push.ts';
import { subscribeBrowser, unsubscribeBrowser } from '../../notify/subscriptions.ts';
import { tryDesktop, tryEmail } from '../../notify/try-out.ts';
import { noContent, ok, type Handlers } from '../handler.ts';

export interface NotificationCallDeps {
  readonly db: Database;
  readonly mail: MailDeps;
  readonly push: PushDeps;
  readonly presence: Presence;
}

export function notificationCalls({ db, mail, push, presence }: NotificationCallDeps): Handlers {
  const read = (viewer: Viewer) => db.read((reader) => readNotifications(reader, viewer));
  return {
    getNotifications: async ({ viewer }) => ok(await read(viewer)),
    changeNotifications: async ({ viewer, body }) => {
      await db.transaction((tx) => changeNotifications(tx, viewer, body as NotificationSwitches));
      return ok(await read(viewer));
    },
    testNotification: async ({ viewer, body }) => {
      const { via, conversationId } = body as { via: 'desktop' | 'email'; conversationId?: string };
      return ok(
        via === 'desktop'
          ? await tryDesktop({ ...push, presence }, viewer, conversationId)
          : await tryEmail(mail, viewer),
      );
    },
    subscribeBrowser: async ({ viewer, body }) => {
      await subscribeBrowser(push, viewer, body);
      return noContent;
    },
    unsubscribeBrowser: async ({ viewer, body }) => {
      await unsubscribeBrowser(push, viewer, (body as { endpoint?: string }).endpoint);
      return noContent;
    },
    listAdminNotices: async ({ viewer }) =>
      ok({ data: await db.read((reader) => listTroubles(reader, viewer)), nextCursor: null }),
    dismissAdminNotice: async ({ viewer, params }) => {
      await db.transaction((tx) => dismissTrouble(mail, tx, viewer, params.id!));
      return noContent;
    },
  };
}
