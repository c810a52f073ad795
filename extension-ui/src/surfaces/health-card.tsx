// One channel: whether it works, why not, what mends it, and what is known of its parts (C14).
import { useState } from 'preact/hooks';
import type { Channel } from '../../../src/web/contract.ts';
import { Avatar, providerName } from '../parts/avatar.tsx';
import { Icon } from '../parts/icon.tsx';
import { Menu } from '../parts/menu.tsx';
import { Question } from '../parts/question.tsx';
import { firstName } from '../parts/row.tsx';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';
import { useStore } from '../use-store.ts';
import { ConnectWhatsapp } from './connect-whatsapp.tsx';
import { EnterAddresses, TakeOver } from './twilio-addresses.tsx';

/** Nobody here can mend these: one can only look whether they are over. */
const looksAgain = new Set(['page_restricted', 'policy', 'policy_warned', 'app_not_live']);
/** What mends these is a dialog of its own. */
const mending: Readonly<Record<string, 'takeOver' | 'addresses' | 'signIn'>> = {
  webhook_foreign: 'takeOver',
  webhook_manual: 'addresses',
  credentials: 'signIn',
};
/** And these are mended at Twilio. */
const consoles: Readonly<Record<string, string>> = {
  webhook_service: 'https://console.twilio.com/us1/develop/sms/services',
  account_suspended: 'https://console.twilio.com/',
  unlisted: 'https://console.twilio.com/us1/develop/sms/senders/whatsapp-senders',
};

export function HealthCard({
  store,
  channel,
  onConnect,
}: {
  store: Store;
  channel: Channel;
  onConnect: (what: 'whatsapp' | 'messenger') => void;
}) {
  const me = useStore(store, (state) => state.me.user);
  const { health } = channel;
  const isOwner = channel.owner.id === me.id;
  const mayMend = isOwner || me.isAdmin;
  const [reason] = health.reasons;
  const pill = { ok: 'circle-check', warning: 'triangle-alert', broken: 'circle-x' } as const;
  const [checking, setChecking] = useState(false);
  const [mendingBy, setMending] = useState<'takeOver' | 'addresses' | 'signIn' | 'disconnect' | null>(null);
  const check = (): void => {
    setChecking(true);
    void store.api
      .checkChannel(channel.id)
      .catch(store.actions.explain)
      .finally(() => setChecking(false));
  };
  const mend = (): void => {
    if (reason && looksAgain.has(reason.code)) check();
    else if (reason && reason.code in mending) setMending(mending[reason.code]!);
    else if (reason && reason.code in consoles) open(consoles[reason.code], '_blank', 'noopener');
    else onConnect(channel.provider);
  };
  const close = (): void => setMending(null);
  return (
    <section class={`card health ${health.state}`} aria-label={channel.name}>
      <header>
        <Avatar id={channel.id} name={channel.name} url={channel.avatarUrl} size={40} provider={channel.provider} />
        <div class="health-title">
          <h2>
            {channel.name}
            <span class={`pill ${health.state === 'ok' ? 'ok' : health.state === 'warning' ? 'warn' : 'bad'}`}>
              <Icon name={pill[health.state]} size={14} />
              {t(`health.${health.state}`)}
            </span>
          </h2>
          <p>
            {[
              providerName(channel.provider),
              channel.provider === 'whatsapp' ? channel.address : '',
              t('settings.connectedBy', { name: channel.owner.name }),
            ]
              .filter(Boolean)
              .join(' · ')}
          </p>
        </div>
        <span class="visibility">
          <Icon name={channel.visibility === 'shared' ? 'users' : 'lock'} size={16} />
          {t(`visibility.${channel.visibility}`)}
        </span>
        {isOwner && (
          <Menu
            label={t('thread.more')}
            button={<Icon name="ellipsis" size={18} />}
            items={[
              {
                key: 'check',
                label: t('health.check.again'),
                icon: 'rotate-cw',
                onPick: check,
              },
              {
                key: 'visibility',
                label: t(channel.visibility === 'shared' ? 'settings.makePrivate' : 'settings.makeShared'),
                icon: channel.visibility === 'shared' ? 'lock' : 'users',
                onPick: () =>
                  void store.api
                    .changeChannel(channel.id, { visibility: channel.visibility === 'shared' ? 'private' : 'shared' })
                    .catch(store.actions.explain),
              },
              {
                key: 'disconnect',
                label: t('settings.disconnect'),
                danger: true,
                rule: true,
                icon: 'unlink',
                onPick: () => setMending('disconnect'),
              },
            ]}
          />
        )}
      </header>
      {reason && (
        <div class={`health-reason ${health.state === 'broken' ? 'bad' : 'warn'}`}>
          <p>{reason.message}</p>
          {mayMend && reason.action ? (
            <button type="button" class={`button${health.state === 'broken' ? ' primary' : ''}`} onClick={mend}>
              {reason.action}
            </button>
          ) : (
            !mayMend && (
              <button type="button" class="button" onClick={() => void store.actions.askOwner(channel.id, 'reconnect')}>
                {t('settings.ask', { name: firstName(channel.owner.name) })}
              </button>
            )
          )}
        </div>
      )}
      <dl class="checks" aria-busy={checking}>
        {health.checks.map((check) => (
          <div key={check.name} class={check.ok ? 'ok' : 'bad'}>
            <dt>
              <Icon name={check.ok ? 'check' : 'x'} size={14} />
              {check.name}
            </dt>
            <dd>{check.value}</dd>
          </div>
        ))}
      </dl>
      {mendingBy === 'takeOver' && <TakeOver store={store} channel={channel} onClose={close} />}
      {mendingBy === 'addresses' && <EnterAddresses store={store} channel={channel} onClose={close} />}
      {mendingBy === 'signIn' && <ConnectWhatsapp store={store} again={channel} onClose={close} />}
      {mendingBy === 'disconnect' && <Disconnect store={store} channel={channel} onClose={close} />}
    </section>
  );
}

function Disconnect({ store, channel, onClose }: { store: Store; channel: Channel; onClose: () => void }) {
  const disconnect = (): void => {
    onClose();
    void store.api
      .disconnect(channel.id)
      .then(() => store.actions.toast(t('toast.disconnected')))
      .catch(store.actions.explain);
  };
  return (
    <Question
      title={t('disconnect.title', { name: channel.name })}
      keep={t('disconnect.keep')}
      act={t('settings.disconnect')}
      icon="unlink"
      danger
      onKeep={onClose}
      onAct={disconnect}
    >
      <p>{t('disconnect.body')}</p>
    </Question>
  );
}
