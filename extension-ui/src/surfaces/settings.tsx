// The settings page inside Pipedrive.
import { createStore } from '../store.ts';
import { SettingsSurface } from './settings-surface.tsx';
import { show, startInFrame } from './start.tsx';

void startInFrame(({ api, me }) => {
  const store = createStore(api, me);
  show(<SettingsSurface store={store} inTab={false} />);
  store.actions.start().catch(store.actions.explain);
});
