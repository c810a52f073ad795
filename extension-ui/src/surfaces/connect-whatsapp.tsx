// Connects a WhatsApp number: credentials first, then one of the senders they lead to, or a number typed by hand (C2).
import { useState } from 'preact/hooks';
import { ApiError } from '../api.ts';
import { Dialog } from '../parts/dialog.tsx';
import { Icon } from '../parts/icon.tsx';
import { VisibilityChoice } from '../parts/visibility-choice.tsx';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';

export function ConnectWhatsapp({ store, onClose }: { store: Store; onClose: () => void }) {
  const [accountSid, setAccountSid] = useState('');
  const [authToken, setAuthToken] = useState('');
  const [senders, setSenders] = useState<{ sid: string; address: string; name: string; online: boolean }[] | null>(
    null,
  );
  const [sender, setSender] = useState('');
  const [visibility, setVisibility] = useState(store.get().me.settings.defaultVisibility);
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
