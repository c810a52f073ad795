// What a rep does to a conversation: assign, close, open, unlink, delete. Shown at once, and taken back within ten seconds if wanted.
import type { Conversation } from '../../../src/web/contract.ts';
import { ApiError } from '../api.ts';
import { t } from '../texts.ts';
import type { Conversations } from './conversations.ts';
import type { Core } from './core.ts';

type Assignee = { id: string; name: string } | null;

export function openDeeds(core: Core, { receive, forget, sectionFor, optimistic }: Conversations) {
  const { api, get, toast, explain } = core;

  /** Somebody else assigned it a moment ago (V4): says who, and asks whether to go on. */
  const askAfterChange = (error: unknown, id: string, user: Assignee): void => {
    if (!(error instanceof ApiError) || error.code !== 'assignee_changed') return explain(error);
    const { assignee, changedBy } = error.details as { assignee: Assignee; changedBy: string | null };
    const current = get().conversations.get(id);
    if (current) receive({ ...current, assignee, section: sectionFor({ ...current, assignee }) });
    const words = t(assignee ? 'assign.changed' : 'assign.changedToNobody', {
      name: changedBy ?? t('anAdmin'),
      other: assignee?.name ?? '',
    });
    toast(words, () => void assign(id, user), true, t('assign.anyway'));
  };
  const assign = async (id: string, user: Assignee, withUndo = true): Promise<void> => {
    const before = get().conversations.get(id);
    if (!before || before.assignee?.id === user?.id) return;
    const after = { ...before, assignee: user };
    const done = await optimistic(
      before,
      { ...after, section: sectionFor(after) },
      () => api.assign(id, user?.id ?? null, before.assignee?.id ?? null),
      (error) => askAfterChange(error, id, user),
    );
    if (!done || !withUndo) return;
    const words = user
      ? t('toast.assigned', { name: user.id === get().me.user.id ? t('you') : user.name })
      : t('toast.unassigned');
    toast(words, () => void assign(id, before.assignee, false));
  };
  const setStatus = async (id: string, status: 'open' | 'closed', withUndo = true): Promise<void> => {
    const before = get().conversations.get(id);
    if (!before || before.status === status) return;
    const after = { ...before, status };
    const done = await optimistic(before, { ...after, section: sectionFor(after) }, () => api.setStatus(id, status));
    if (!done || !withUndo) return;
    toast(t(status === 'closed' ? 'toast.closed' : 'toast.opened'), () => void setStatus(id, before.status, false));
  };

  return {
    assign,
    setStatus,
    unlink: async (id: string, link: Conversation['links'][number]): Promise<void> => {
      const before = get().conversations.get(id);
      if (!before) return;
      receive({ ...before, links: before.links.filter((known) => known.id !== link.id) });
      try {
        await api.unlink(id, link.id);
        const undo = (): void => void api.link(id, { type: link.type, recordId: link.recordId }).catch(explain);
        toast(t('toast.unlinked', { title: link.title }), undo);
      } catch (error) {
        receive(before);
        explain(error);
      }
    },
    deleteConversation: async (id: string): Promise<void> => {
      try {
        await api.deleteConversation(id);
        forget(id);
        toast(t('toast.deleted'));
      } catch (error) {
        explain(error);
      }
    },
  };
}
