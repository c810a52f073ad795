// The floating window.
import { createStore } from '../store.ts';
import { Inbox } from './inbox.tsx';
import { show, startInFrame } from './start.tsx';

void startInFrame(({ api, me, host }) => {
  const store = createStore(api, me);
  host?.onVisibility((visible, context) => {
    if (visible && typeof context.conversationId === 'string') store.actions.select(context.conversationId);
  });
  show(<Inbox store={store} host={host} kind="window" settingsUrl="/settings" />);
  store.actions.start().catch(store.actions.explain);
});
