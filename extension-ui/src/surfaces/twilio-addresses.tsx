// Where Twilio sends what is written to a number: to us in place of somebody else, or by addresses that a person enters, with a
// look whether anything has come by them (C2).
import { useState } from 'preact/hooks';
import type { Channel } from '../../../src/web/contract.ts';
import { ApiError } from '../api.ts';
import { Dialog } from '../parts/dialog.tsx';
import { Icon } from '../parts/icon.tsx';
import { Problem } from '../parts/problem.tsx';
import { Question } from '../parts/question.tsx';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';
import { useStore } from '../use-store.ts';

/** Whether somebody else's address gives way to ours: only a person may say so. */
export function TakeOver({ store, channel, onClose }: { store: Store; channel: Channel; onClose: () => void }) {
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);
  const take = async (): Promise<void> => {
    setBusy(true);
    try {
      await store.api.takeWebhook(channel.id);
      store.actions.toast(t('toast.taken', { name: channel.name }));
      onClose();
    } catch (error) {
      setProblem(error instanceof ApiError ? error.message : t('net.noAnswer'));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Question
      title={t('takeOver.title', { name: channel.name })}
      keep={t('takeOver.leave')}
      act={t('health.webhook_foreign.action')}
      busy={busy}
      onKeep={onClose}
      onAct={() => void take()}
    >
      <div class="form">
        <p>{channel.health.reasons.find(({ code }) => code === 'webhook_foreign')?.message}</p>
        <p>{t('takeOver.body')}</p>
        {problem && <Problem>{problem}</Problem>}
      </div>
    </Question>
  );
}

/** Asks Twilio to try again when we do not answer (connection overrides); no part of what it signs. */
const overrides = '#rc=5&rp=all&ct=2000&rt=4000';

const tryOutNumber = '+14155238886';

function isWaiting({ health }: Channel): boolean {
  return health.reasons.some(({ code }) => code === 'webhook_manual');
}

/** The two addresses to copy into Twilio's console; below them it says so as soon as something has come. */
export function EnterAddresses({ store, channel, onClose }: { store: Store; channel: Channel; onClose: () => void }) {
  const live = useStore(store, (state) => state.channels.find(({ id }) => id === channel.id)) ?? channel;
  const [looked, setLooked] = useState(false);
  const [busy, setBusy] = useState(false);
  const waits = isWaiting(live);
  const look = async (): Promise<void> => {
    setBusy(true);
    try {
      await store.api.checkChannel(channel.id);
      setLooked(true);
    } catch (error) {
      store.actions.explain(error);
    } finally {
      setBusy(false);
    }
  };
  const number = channel.address;
  const isTryOut = number === tryOutNumber;
  const base = `${location.origin}/webhooks/twilio`;
  return (
    <Dialog
      kind="settings"
      title={t('addresses.title')}
      label={t('addresses.title')}
      onClose={onClose}
      footer={
        <>
          {waits && (
            <button type="button" class="button" aria-busy={busy} onClick={() => void look()}>
              {t('addresses.look')}
            </button>
          )}
          <button type="button" class={`button${waits ? '' : ' primary'}`} onClick={onClose}>
            {t(waits ? 'addresses.later' : 'addresses.done')}
          </button>
        </>
      }
    >
      <div class="form">
        <p class="small">{t(isTryOut ? 'addresses.where.tryOut' : 'addresses.where', { number })}</p>
        <Address store={store} label={t('addresses.inbound')} value={base + overrides} />
        <Address store={store} label={t('addresses.status')} value={`${base}/status${overrides}`} />
        <p class={`arrival${waits ? '' : ' ok'}`} role="status">
          <Icon name={waits ? 'clock' : 'circle-check'} size={16} />
          <span>
            {waits && looked ? `${t('addresses.nothingYet')} ` : ''}
            {waits
              ? t(isTryOut ? 'addresses.waiting.tryOut' : 'addresses.waiting', { number })
              : t('addresses.arrived')}
          </span>
        </p>
      </div>
    </Dialog>
  );
}

function Address({ store, label, value }: { store: Store; label: string; value: string }) {
  const copy = (): void =>
    void navigator.clipboard
      .writeText(value)
      .then(() => store.actions.toast(t('toast.copied')))
      .catch(() => undefined);
  return (
    <div class="copy-line">
      <label class="field">
        <span>{label}</span>
        <input value={value} readOnly spellcheck={false} onFocus={(event) => event.currentTarget.select()} />
      </label>
      <button type="button" class="button" onClick={copy} aria-label={t('addresses.copyOf', { name: label })}>
        <Icon name="copy" size={16} />
        {t('addresses.copy')}
      </button>
    </div>
  );
}
