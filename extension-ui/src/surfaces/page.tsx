// The full page, and the settings in a tab of their own.
import { createStore } from '../store.ts';
import { Inbox } from './inbox.tsx';
import { SettingsSurface } from './settings-surface.tsx';
import { show, startInTab } from './start.tsx';

void startInTab(({ api, me }) => {
  const store = createStore(api, me);
  if (location.pathname === '/settings') show(<SettingsSurface store={store} inTab />);
  else show(<Inbox store={store} host={null} kind="page" settingsUrl="/settings" />);
  store.actions.start().catch(store.actions.explain);
});
