// The custom panel on a deal, person or organization: its newest conversation, or what may become one.
import { createStore } from '../store.ts';
import { PanelSurface } from './panel-surface.tsx';
import { show, startInFrame } from './start.tsx';

void startInFrame(
  ({ api, me, host, query }) => {
    const store = createStore(api, me);
    show(
      <PanelSurface store={store} host={host} resource={query?.resource ?? ''} recordId={query?.selectedIds ?? ''} />,
    );
    store.actions.start().catch(store.actions.explain);
  },
  { height: 420 },
);
