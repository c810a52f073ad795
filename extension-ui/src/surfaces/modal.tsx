// The custom modal: links the conversation that it was opened for, or a conversation to the record that it was opened on.
import type { Conversation } from '../../../src/web/contract.ts';
import { absentBy } from '../absent.ts';
import { createStore, type Store } from '../store.ts';
import { Empty } from '../parts/empty.tsx';
import { t } from '../texts.ts';
import { AbsentConversation } from './absent-conversation.tsx';
import { LinkConversation } from './link-conversation.tsx';
import { LinkForm } from './link-form.tsx';
import { show, startInFrame } from './start.tsx';

void startInFrame(async ({ api, me, host, query }) => {
  const store = createStore(api, me);
  const id = query?.data.conversationId;
  const record = (['person', 'deal'] as const).find((type) => type === query?.resource);
  const recordId = query?.selectedIds?.split(',')[0];
  const done = (): void => host?.closeModal();
  try {
    if (!id && record && recordId) {
      await store.actions.start();
      return show(
        <div class="surface modal">
          <h1>{t('panel.link')}</h1>
          <LinkConversation store={store} type={record} recordId={recordId} onDone={done} />
        </div>,
      );
    }
    const conversation = await api.conversation(id ?? 'none');
    await store.actions.start();
    linking(store, conversation, done);
  } catch (error) {
    const absent = id ? absentBy(error, id) : null;
    if (!absent) return show(<Empty icon="search-x" title={t('thread.nothing.title')} body={t('error.not_found')} />);
    show(
      <div class="surface modal">
        <AbsentConversation store={store} absent={absent} />
      </div>,
    );
    if (absent.private) await whenShared(store, absent.id, (conversation) => linking(store, conversation, done));
  }
});

function linking(store: Store, conversation: Conversation, done: () => void): void {
  show(
    <div class="surface modal">
      <h1>{t('link.title')}</h1>
      <LinkForm store={store} conversation={conversation} onDone={done} />
    </div>,
  );
}

/** Its owner was asked, or shares it by himself: then it is here without being opened anew. */
async function whenShared(store: Store, id: string, draw: (conversation: Conversation) => void): Promise<void> {
  const stop = store.subscribe(() => {
    const conversation = store.get().conversations.get(id);
    if (!conversation) return;
    stop();
    draw(conversation);
  });
  store.actions.select(id);
  await store.actions.start().catch(() => undefined);
}
