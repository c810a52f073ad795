// The custom modal: links the conversation that it was opened for.
import { createStore } from '../store.ts';
import { Empty } from '../parts/empty.tsx';
import { t } from '../texts.ts';
import { LinkForm } from './link-form.tsx';
import { show, startInFrame } from './start.tsx';

void startInFrame(async ({ api, me, host, query }) => {
  const store = createStore(api, me);
  const id = query?.data.conversationId;
  try {
    const conversation = await api.conversation(id ?? 'none');
    await store.actions.start();
    show(
      <div class="surface modal">
        <h1>{t('link.title')}</h1>
        <LinkForm store={store} conversation={conversation} onDone={() => host?.closeModal()} />
      </div>,
    );
  } catch {
    show(<Empty icon="search-x" title={t('thread.nothing.title')} body={t('error.not_found')} />);
  }
});
