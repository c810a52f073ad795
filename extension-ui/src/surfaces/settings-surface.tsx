// Settings: channels with their health, connecting new ones, company options, who is available.
import { useState } from 'preact/hooks';
import type { Settings } from '../../../src/web/contract.ts';
import { ApiError } from '../api.ts';
import { Avatar } from '../parts/avatar.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Empty } from '../parts/empty.tsx';
import { Icon } from '../parts/icon.tsx';
import { LeadsInboxState } from '../parts/leads-inbox-state.tsx';
import { Switch } from '../parts/switch.tsx';
import { VisibilityChoice } from '../parts/visibility-choice.tsx';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';
import { useStore } from '../use-store.ts';
import { ConnectMessenger } from './connect-messenger.tsx';
import { HealthCard } from './health-card.tsx';
import { ToastBar } from './inbox.tsx';

export function SettingsSurface({ store, inTab }: { store: Store; inTab: boolean }) {
  const channels = useStore(store, (state) => state.channels);
  const me = useStore(store, (state) => state.me);
  const [connecting, setConnecting] = useState<'choose' | 'whatsapp' | 'messenger' | null>(null);
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
        {channels.map((channel) => (
          <HealthCard key={channel.id} store={store} channel={channel} onConnect={setConnecting} />
        ))}
        {channels.length > 0 && <LeadsInboxState {...me.bridge} />}
        <CompanyOptions store={store} />
        <People store={store} />
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

function ConnectWhatsapp({ store, onClose }: { store: Store; onClose: () => void }) {
  const [accountSid, setAccountSid] = useState('');
  const [authToken, setAuthToken] = useState('');
  const [senders, setSenders] = useState<{ sid: string; address: string; name: string; online: boolean }[] | null>(
    null,
  );
  const [sender, setSender] = useState('');
  const [visibility, setVisibility] = useState<'shared' | 'private'>('shared');
  const [unlisted, setUnlisted] = useState(false);
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);
  const submit = async (): Promise<void> => {
    setBusy(true);
    setProblem('');
    try {
      if (!senders) {
        const found = await store.api.senders(accountSid.trim(), authToken.trim());
        setSenders(found.data);
        setSender(found.data[0]?.address ?? '');
        return;
      }
      const channel = await store.api.connectWhatsapp({
        accountSid: accountSid.trim(),
        authToken: authToken.trim(),
        sender,
        visibility,
        ...(unlisted ? { unlisted } : {}),
      });
      store.actions.toast(t('toast.connected', { name: channel.name }));
      onClose();
    } catch (error) {
      if (error instanceof ApiError && error.code === 'sender_not_found') setUnlisted(true);
      setProblem(error instanceof ApiError ? error.message : t('net.noAnswer'));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog
      kind="settings"
      title={t('settings.whatsapp')}
      label={t('settings.whatsapp')}
      onClose={onClose}
      footer={
        <>
          <button type="button" class="button" onClick={onClose}>
            {t('cancel')}
          </button>
          <button type="submit" form="connect-whatsapp" class="button primary" aria-busy={busy}>
            {t(senders ? (unlisted ? 'settings.connectAnyway' : 'settings.connectThis') : 'settings.checkCredentials')}
          </button>
        </>
      }
    >
      <form id="connect-whatsapp" class="form" onSubmit={(event) => (event.preventDefault(), void submit())}>
        <p class="small">{t('settings.whatsapp.why')}</p>
        <label class="field">
          <span>Account SID</span>
          <input
            value={accountSid}
            autocomplete="off"
            spellcheck={false}
            required
            onInput={(event) => (setAccountSid(event.currentTarget.value), setSenders(null))}
          />
        </label>
        <label class="field">
          <span>Auth token</span>
          <input
            type="password"
            value={authToken}
            autocomplete="off"
            required
            onInput={(event) => (setAuthToken(event.currentTarget.value), setSenders(null))}
          />
        </label>
        {senders && (
          <>
            {senders.length > 0 && (
              <fieldset>
                <legend>{t('settings.chooseSender')}</legend>
                {senders.map((found) => (
                  <label key={found.sid} class="radio-card slim">
                    <input
                      type="radio"
                      name="sender"
                      checked={sender === found.address}
                      onChange={() => (setSender(found.address), setUnlisted(false))}
                    />
                    <span class="two-lines">
                      <b>{found.name}</b>
                      <small>{found.address}</small>
                    </span>
                  </label>
                ))}
              </fieldset>
            )}
            <label class="field">
              <span>{t('settings.typedSender')}</span>
              <input
                value={sender}
                inputMode="tel"
                required
                onInput={(event) => (setSender(event.currentTarget.value), setUnlisted(false))}
              />
            </label>
            <VisibilityChoice value={visibility} onChange={setVisibility} />
          </>
        )}
        {problem && (
          <p class="form-problem" role="alert">
            <Icon name="circle-alert" size={16} />
            {problem}
          </p>
        )}
      </form>
    </Dialog>
  );
}

function CompanyOptions({ store }: { store: Store }) {
  const me = useStore(store, (state) => state.me);
  const [settings, setSettings] = useState<Settings>(me.settings);
  const change = (patch: Partial<Settings>): void => {
    const before = settings;
    setSettings({ ...settings, ...patch });
    void store.api
      .changeSettings(patch)
      .then(setSettings)
      .catch((error: unknown) => {
        setSettings(before);
        store.actions.explain(error);
      });
  };
  return (
    <section class="settings-group">
      <h2>{t('settings.company')}</h2>
      <div class="card rows-card">
        <label class="option">
          <span class="two-lines">
            <span>{t('settings.language')}</span>
            <small>{t('settings.language.body')}</small>
          </span>
          <select
            value={settings.language}
            disabled={!me.user.isAdmin}
            onChange={(event) => change({ language: event.currentTarget.value === 'sv' ? 'sv' : 'en' })}
          >
            <option value="en">English</option>
            <option value="sv">Svenska</option>
          </select>
        </label>
        <label class="option">
          <span class="two-lines">
            <span>{t('settings.visibility')}</span>
            <small>{t('settings.visibility.body')}</small>
          </span>
          <select
            value={settings.defaultVisibility}
            disabled={!me.user.isAdmin}
            onChange={(event) =>
              change({ defaultVisibility: event.currentTarget.value === 'private' ? 'private' : 'shared' })
            }
          >
            <option value="shared">{t('visibility.shared')}</option>
            <option value="private">{t('visibility.private')}</option>
          </select>
        </label>
        {(['autoLinkExactMatch', 'autoCreateLead'] as const).map((option) => (
          <div key={option} class="option">
            <span class="two-lines">
              <span>{t(`settings.${option}`)}</span>
              <small>{t(`settings.${option}.body`)}</small>
            </span>
            <Switch
              checked={settings[option]}
              label={t(`settings.${option}`)}
              hideLabel
              disabled={!me.user.isAdmin}
              onChange={(on) => change({ [option]: on })}
            />
          </div>
        ))}
      </div>
    </section>
  );
}

function People({ store }: { store: Store }) {
  const users = useStore(store, (state) => state.users);
  const me = useStore(store, (state) => state.me.user);
  return (
    <section class="settings-group">
      <h2>{t('settings.people')}</h2>
      <div class="card rows-card">
        {users.map((user) => (
          <div key={user.id} class="option">
            <span class="person">
              <Avatar id={user.id} name={user.name} url={user.avatarUrl} size={28} />
              {user.id === me.id ? t('assign.me', { name: user.name }) : user.name}
            </span>
            <Switch
              checked={user.available}
              label={t('settings.availableOf', { name: user.name })}
              hideLabel
              disabled={user.id !== me.id && !me.isAdmin}
              onChange={(available) =>
                user.id === me.id
                  ? void store.actions.setAvailability(available)
                  : void store.api.setUserAvailability(user.id, available).catch(store.actions.explain)
              }
            />
          </div>
        ))}
      </div>
    </section>
  );
}
