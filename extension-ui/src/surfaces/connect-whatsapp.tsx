// Connecting a WhatsApp number: sign in to Twilio, choose the sender, and see to it that what is written to it arrives here (C2).
import { useState } from 'preact/hooks';
import type { Channel, TwilioSender } from '../../../src/web/contract.ts';
import { ApiError } from '../api.ts';
import { Dialog } from '../parts/dialog.tsx';
import { VisibilityChoice } from '../parts/visibility-choice.tsx';
import { Problem } from '../parts/problem.tsx';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';
import { EnterAddresses, TakeOver } from './twilio-addresses.tsx';

/** Twilio's number for trying WhatsApp: everybody's, and in nobody's list. */
const tryOutNumber = '+14155238886';

/** A sender of the list, by account and number; or one of the fall-backs. */
type Choice = { readonly sender: TwilioSender } | 'try-out' | 'typed';

export function ConnectWhatsapp({
  store,
  again,
  onClose,
}: {
  store: Store;
  /** The channel whose sign-in no longer holds: everything but the auth token is known. */
  again?: Channel;
  onClose: () => void;
}) {
  const [accountSid, setAccountSid] = useState(again?.account ?? '');
  const [authToken, setAuthToken] = useState('');
  const [senders, setSenders] = useState<readonly TwilioSender[] | null>(null);
  const [choice, setChoice] = useState<Choice>('typed');
  const [typed, setTyped] = useState('');
  const [visibility, setVisibility] = useState(store.get().me.settings.defaultVisibility);
  const [unlisted, setUnlisted] = useState(false);
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);
  const [connected, setConnected] = useState<Channel | null>(null);

  const list = async (): Promise<void> => {
    const { data } = await store.api.senders(accountSid.trim(), authToken.trim());
    setSenders(data);
    const first = data.find((sender) => !sender.connected && sender.online) ?? data[0];
    setChoice(first ? { sender: first } : 'typed');
  };
  const connect = async (): Promise<void> => {
    const channel = await store.api.connectWhatsapp({
      accountSid: accountSid.trim(),
      authToken: authToken.trim(),
      ...(again
        ? { sender: again.address, name: again.name, unlisted: true }
        : { ...chosen(choice, typed), visibility, ...(unlisted ? { unlisted } : {}) }),
    });
    store.actions.toast(t('toast.connected', { name: channel.name }));
    const needsMore = channel.health.reasons.some(
      ({ code }) => code === 'webhook_foreign' || code === 'webhook_manual',
    );
    if (needsMore) setConnected(channel);
    else onClose();
  };
  const submit = async (): Promise<void> => {
    setBusy(true);
    setProblem('');
    try {
      await (senders || again ? connect() : list());
    } catch (error) {
      if (error instanceof ApiError && error.code === 'sender_not_found') setUnlisted(true);
      setProblem(error instanceof ApiError ? error.message : t('net.noAnswer'));
    } finally {
      setBusy(false);
    }
  };
  const choose = (next: Choice): void => {
    setChoice(next);
    setUnlisted(false);
    setProblem('');
  };

  if (connected) {
    const isForeign = connected.health.reasons.some(({ code }) => code === 'webhook_foreign');
    return isForeign ? (
      <TakeOver store={store} channel={connected} onClose={onClose} />
    ) : (
      <EnterAddresses store={store} channel={connected} onClose={onClose} />
    );
  }
  const word = again
    ? 'settings.signIn'
    : !senders
      ? 'settings.checkCredentials'
      : unlisted
        ? 'settings.connectAnyway'
        : 'settings.connectThis';
  return (
    <Dialog
      kind="settings"
      title={again ? t('settings.signInAgain', { name: again.name }) : t('settings.whatsapp')}
      label={again ? t('settings.signInAgain', { name: again.name }) : t('settings.whatsapp')}
      onClose={onClose}
      footer={
        <>
          <button type="button" class="button" onClick={onClose}>
            {t('cancel')}
          </button>
          <button type="submit" form="connect-whatsapp" class="button primary" aria-busy={busy}>
            {t(word)}
          </button>
        </>
      }
    >
      <form id="connect-whatsapp" class="form" onSubmit={(event) => (event.preventDefault(), void submit())}>
        <p class="small">{t(again ? 'settings.whatsapp.again' : 'settings.whatsapp.why')}</p>
        <label class="field">
          <span>Account SID</span>
          <input
            value={accountSid}
            autocomplete="off"
            spellcheck={false}
            placeholder="AC…"
            required
            readOnly={again !== undefined}
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
            <fieldset>
              <legend>{t('settings.chooseSender')}</legend>
              {senders.length === 0 && <p class="small">{t('settings.noSenders')}</p>}
              {senders.map((sender) => (
                <Option
                  key={`${sender.account.sid} ${sender.sid}`}
                  title={sender.name}
                  facts={[
                    sender.address,
                    severalAccounts(senders) ? sender.account.name : '',
                    sender.connected ? t('settings.alreadyConnected') : '',
                    sender.online ? '' : t('settings.senderOffline'),
                  ]}
                  checked={typeof choice === 'object' && choice.sender === sender}
                  onPick={() => choose({ sender })}
                />
              ))}
              <Option
                title={t('settings.tryOut')}
                facts={[tryOutNumber, t('settings.tryOut.body')]}
                checked={choice === 'try-out'}
                onPick={() => choose('try-out')}
              />
              <Option
                title={t('settings.otherNumber')}
                facts={[t('settings.otherNumber.body')]}
                checked={choice === 'typed'}
                onPick={() => choose('typed')}
              />
            </fieldset>
            {choice === 'typed' && (
              <label class="field">
                <span>{t('settings.typedSender')}</span>
                <input
                  value={typed}
                  inputMode="tel"
                  placeholder="+46 70 123 45 67"
                  required
                  onInput={(event) => (setTyped(event.currentTarget.value), setUnlisted(false))}
                />
              </label>
            )}
            <VisibilityChoice value={visibility} onChange={setVisibility} />
          </>
        )}
        {problem && <Problem>{problem}</Problem>}
      </form>
    </Dialog>
  );
}

function chosen(choice: Choice, typed: string): { sender: string; name?: string; subaccountSid?: string } {
  if (choice === 'try-out') return { sender: tryOutNumber, name: t('settings.tryOut') };
  if (choice === 'typed') return { sender: typed.trim() };
  return { sender: choice.sender.address, subaccountSid: choice.sender.account.sid };
}

function severalAccounts(senders: readonly TwilioSender[]): boolean {
  return new Set(senders.map(({ account }) => account.sid)).size > 1;
}

function Option({
  title,
  facts,
  checked,
  onPick,
}: {
  title: string;
  facts: readonly string[];
  checked: boolean;
  onPick: () => void;
}) {
  return (
    <label class="radio-card slim">
      <input type="radio" name="sender" checked={checked} onChange={onPick} />
      <span class="two-lines">
        <b>{title}</b>
        <small>{facts.filter(Boolean).join(' · ')}</small>
      </span>
    </label>
  );
}
