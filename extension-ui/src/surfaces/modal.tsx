// The custom modal: links the conversation that it was opened for, or a conversation to the record that it was opened on.
import { createStore } from '../store.ts';
import { Empty } from '../parts/empty.tsx';
import { t } from '../texts.ts';
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
    show(
      <div class="surface modal">
        <h1>{t('link.title')}</h1>
        <LinkForm store={store} conversation={conversation} onDone={done} />
      </div>,
    );
  } catch {
    show(<Empty icon="search-x" title={t('thread.nothing.title')} body={t('error.not_found')} />);
  }
});
