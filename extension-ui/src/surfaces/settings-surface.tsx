// Settings: channels with their health, connecting new ones; then what holds for the company, its people and oneself.
import { useState } from 'preact/hooks';
import { Avatar } from '../parts/avatar.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Empty } from '../parts/empty.tsx';
import { Icon } from '../parts/icon.tsx';
import { LeadsInboxState } from '../parts/leads-inbox-state.tsx';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';
import { useStore } from '../use-store.ts';
import { CompanyOptions } from './company-options.tsx';
import { ConnectMessenger } from './connect-messenger.tsx';
import { ConnectWhatsapp } from './connect-whatsapp.tsx';
import { HealthCard } from './health-card.tsx';
import { ToastBar } from './inbox.tsx';
import { CompanyData, MyConnection, MyNotices, People, Replies } from './settings-groups.tsx';

/** What is broken first, then what needs a look, then what works. */
const urgency = { broken: 0, warning: 1, ok: 2 } as const;

export function SettingsSurface({ store, inTab }: { store: Store; inTab: boolean }) {
  const channels = useStore(store, (state) => state.channels);
  const me = useStore(store, (state) => state.me);
  const [connecting, setConnecting] = useState<'choose' | 'whatsapp' | 'messenger' | null>(null);
  const inOrder = [...channels].sort((left, right) => urgency[left.health.state] - urgency[right.health.state]);
  return (
    <div class="surface settings-page">
      <main class="settings-column">
        <header class="settings-head">
          <div>
            <h1>{t('settings.channels')}</h1>
            <p>{t('settings.channels.body')}</p>
          </div>
          {inTab && (
            <a class="button" href="/">
              {t('page.toInbox')}
            </a>
          )}
          {me.user.isAdmin && (
            <button type="button" class="button primary" onClick={() => setConnecting('choose')}>
              <Icon name="plus" size={16} />
              {t('settings.connect')}
            </button>
          )}
        </header>
        {channels.length === 0 && (
          <div class="card">
            <Empty icon="plug" title={t('empty.noChannel.title')} body={t('empty.noChannel')} />
          </div>
        )}
        {inOrder.map((channel) => (
          <HealthCard key={channel.id} store={store} channel={channel} onConnect={setConnecting} />
        ))}
        {channels.length > 0 && <LeadsInboxState {...me.bridge} />}
        <CompanyOptions store={store} />
        <People store={store} />
        <Replies store={store} />
        <MyNotices store={store} kind={inTab ? 'page' : 'window'} />
        <MyConnection store={store} />
        {me.user.isAdmin && <CompanyData inTab={inTab} />}
      </main>
      {connecting === 'choose' && <ChooseProvider onPick={setConnecting} onClose={() => setConnecting(null)} />}
      {connecting === 'whatsapp' && <ConnectWhatsapp store={store} onClose={() => setConnecting(null)} />}
      {connecting === 'messenger' && <ConnectMessenger store={store} onClose={() => setConnecting(null)} />}
      <ToastBar store={store} />
    </div>
  );
}

function ChooseProvider({
  onPick,
  onClose,
}: {
  onPick: (what: 'whatsapp' | 'messenger') => void;
  onClose: () => void;
}) {
  return (
    <Dialog kind="settings" title={t('settings.connect')} label={t('settings.connect')} onClose={onClose}>
      <div class="choices">
        {(['whatsapp', 'messenger'] as const).map((provider) => (
          <button key={provider} type="button" class="choice" onClick={() => onPick(provider)}>
            <Avatar id={provider} name="" size={40} provider={provider} />
            <span class="two-lines">
              <b>{t(`settings.${provider}`)}</b>
              <small>{t(`settings.${provider}.body`)}</small>
            </span>
          </button>
        ))}
      </div>
    </Dialog>
  );
}
