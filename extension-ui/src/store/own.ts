// What is the user's own: choices of this browser, availability, notices and how they reach him, saved replies, who he asks.
import type { AdminNotice, NotificationSettings } from '../../../src/web/contract.ts';
import { writeChoices, type Choices } from '../remembered.ts';
import { t } from '../texts.ts';
import type { Core } from './core.ts';

export function openOwn(core: Core) {
  const { api, get, set, toast, explain } = core;
  return {
    choose: (choice: Partial<Choices>): void => {
      const choices = { ...get().choices, ...choice };
      set({ choices });
      writeChoices(get().me.user.id, choices);
    },
    setAvailability: async (available: boolean): Promise<void> => {
      const before = get().me;
      set({ me: { ...before, availability: { available } } });
      await api.setAvailability(available).catch((error: unknown) => {
        set({ me: before });
        explain(error);
      });
    },
    showPresence: (id: string, typing: boolean): void =>
      void api.presence(id, typing, document.hasFocus()).catch(() => undefined),
    loadSavedReplies: (): void =>
      void api
        .savedReplies()
        .then(({ data }) => set({ savedReplies: data }))
        .catch((error: unknown) => {
          set({ savedReplies: get().savedReplies ?? [] });
          explain(error);
        }),
    setNotifications: async (switches: NotificationSettings): Promise<boolean> => {
      try {
        const notifications = await api.setNotifications(switches);
        set({ me: { ...get().me, notifications } });
        return true;
      } catch (error) {
        explain(error);
        return false;
      }
    },
    testNotification: api.testNotification,
    subscribeBrowser: api.subscribeBrowser,
    adminNotices: async (): Promise<AdminNotice[]> => (await api.adminNotices()).data,
    dismissAdminNotice: (id: string) => api.dismissAdminNotice(id).catch(explain),
    askOwner: async (
      channelId: string,
      what: 'reconnect' | 'share',
      say: (words: string) => void = toast,
    ): Promise<void> => {
      try {
        const { owner, notified } = await api.askOwner(channelId, what);
        say(t(notified ? 'toast.asked' : 'toast.askedAlready', { name: owner.name }));
      } catch (error) {
        explain(error);
      }
    },
  };
}
