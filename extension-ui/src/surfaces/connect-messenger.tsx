// Connecting Facebook Pages: sign in at Facebook in a tab of its own, then choose the Pages here.
import { useEffect, useState } from 'preact/hooks';
import { ApiError } from '../api.ts';
import { Dialog } from '../parts/dialog.tsx';
import { VisibilityChoice } from '../parts/visibility-choice.tsx';
import { Problem } from '../parts/problem.tsx';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';

const askEveryMs = 1_000;

export function ConnectMessenger({ store, onClose }: { store: Store; onClose: () => void }) {
  const [login, setLogin] = useState<string | null>(null);
  const [pages, setPages] = useState<
    { id: string; name: string; usable: boolean; reason: string | null; connected: boolean }[] | null
  >(null);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [visibility, setVisibility] = useState<'shared' | 'private'>('shared');
  const [problem, setProblem] = useState('');
  useEffect(() => {
    if (!login || pages) return;
    const timer = setInterval(() => {
      void store.api
        .pages(login)
        .then((answer) => {
          if (!answer.ready) return;
          setPages(answer.data);
          setChosen(new Set(answer.data.filter(({ usable }) => usable).map(({ id }) => id)));
        })
        .catch((error: unknown) => setProblem(error instanceof ApiError ? error.message : ''));
    }, askEveryMs);
    return () => clearInterval(timer);
  }, [login, pages, store]);
  const begin = (): void => {
    // Opened at once, so that the browser takes it as the user's own window.
    const tab = window.open('', '_blank');
    void store.api
      .startLogin()
      .then((begun) => {
        setLogin(begun.login);
        if (tab) tab.location.href = begun.authorizeUrl;
        else location.href = begun.authorizeUrl;
      })
      .catch((error: unknown) => {
        tab?.close();
        setProblem(error instanceof ApiError ? error.message : t('net.noAnswer'));
      });
  };
  const connect = (): void => {
    void store.api
      .connectMessenger(login!, [...chosen], visibility)
      .then(() => {
        store.actions.toast(
          t('toast.connected', {
            name: pages!
              .filter(({ id }) => chosen.has(id))
              .map(({ name }) => name)
              .join(', '),
          }),
        );
        onClose();
      })
      .catch((error: unknown) => setProblem(error instanceof ApiError ? error.message : t('net.noAnswer')));
  };
  return (
    <Dialog
      kind="settings"
      title={t('settings.messenger')}
      label={t('settings.messenger')}
      onClose={onClose}
      footer={
        <>
          <button type="button" class="button" onClick={onClose}>
            {t('cancel')}
          </button>
          {pages ? (
            <button type="button" class="button primary" disabled={chosen.size === 0} onClick={connect}>
              {t('settings.connectThis')}
            </button>
          ) : (
            <button type="button" class="button primary" onClick={begin}>
              {t('health.token.action')}
            </button>
          )}
        </>
      }
    >
      <div class="form">
        {!pages && <p class="small">{t(login ? 'settings.messenger.waiting' : 'settings.messenger.why')}</p>}
        {pages && (
          <fieldset>
            <legend>{t('settings.choosePages')}</legend>
            {pages.map((page) => (
              <label key={page.id} class="radio-card slim">
                <input
                  type="checkbox"
                  checked={chosen.has(page.id)}
                  disabled={!page.usable}
                  onChange={(event) => {
                    const next = new Set(chosen);
                    if (event.currentTarget.checked) next.add(page.id);
                    else next.delete(page.id);
                    setChosen(next);
                  }}
                />
                <span class="two-lines">
                  <b>{page.name}</b>
                  {(page.reason ?? (page.connected ? t('settings.alreadyConnected') : null)) && (
                    <small>{page.reason ?? t('settings.alreadyConnected')}</small>
                  )}
                </span>
              </label>
            ))}
          </fieldset>
        )}
        {pages && <VisibilityChoice value={visibility} onChange={setVisibility} />}
        {problem && <Problem>{problem}</Problem>}
      </div>
    </Dialog>
  );
}
