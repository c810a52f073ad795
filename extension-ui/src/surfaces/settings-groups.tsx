// The rest of the settings: who may be given conversations, texts to answer with, one's own notices and connection, and
// the company's data to take away.
import { useEffect, useState } from 'preact/hooks';
import { Avatar } from '../parts/avatar.tsx';
import { Icon } from '../parts/icon.tsx';
import { Switch } from '../parts/switch.tsx';
import type { Store } from '../store.ts';
import { locale, t } from '../texts.ts';
import { clockTime } from '../time.ts';
import { useLazy } from '../use-lazy.ts';
import { useStore } from '../use-store.ts';
import { Notifications } from './notifications-button.tsx';

export function People({ store }: { store: Store }) {
  const users = useStore(store, (state) => state.users);
  const me = useStore(store, (state) => state.me.user);
  return (
    <section class="settings-group" aria-label={t('settings.people')}>
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

const loadReplies = () =>
  import('./saved-replies-dialog.tsx').then(({ SavedRepliesDialog }) => ({ default: SavedRepliesDialog }));

export function Replies({ store }: { store: Store }) {
  const replies = useStore(store, (state) => state.savedReplies);
  const [open, setOpen] = useState(false);
  const SavedRepliesDialog = useLazy(open, loadReplies);
  useEffect(() => store.actions.loadSavedReplies(), [store]);
  const count = (scope: 'company' | 'personal'): string =>
    t(`settings.replies.${scope}`, { n: replies?.filter((reply) => reply.scope === scope).length ?? 0 });
  return (
    <section class="settings-group" aria-label={t('replies.title')}>
      <h2>{t('replies.title')}</h2>
      <div class="card rows-card">
        <div class="option">
          <span class="two-lines">
            <span>{replies ? `${count('company')} · ${count('personal')}` : '\u00a0'}</span>
            <small>{t('replies.body')}</small>
          </span>
          <button type="button" class="button" aria-haspopup="dialog" onClick={() => setOpen(true)}>
            {t('settings.replies.edit')}
          </button>
        </div>
      </div>
      {open && SavedRepliesDialog && <SavedRepliesDialog store={store} onClose={() => setOpen(false)} />}
    </section>
  );
}

export function MyNotices({ store, kind }: { store: Store; kind: 'page' | 'window' }) {
  const [open, setOpen] = useState(false);
  return (
    <section class="settings-group" aria-label={t('notify.title')}>
      <h2>{t('notify.title')}</h2>
      <div class="card rows-card">
        <div class="option">
          <span class="two-lines">
            <span>{t('settings.notices')}</span>
            <small>{t('settings.notices.body')}</small>
          </span>
          <button type="button" class="button" aria-haspopup="dialog" onClick={() => setOpen(true)}>
            {t('settings.notices.edit')}
          </button>
        </div>
      </div>
      <Notifications store={store} kind={kind} open={open} onClose={() => setOpen(false)} />
    </section>
  );
}

/** Whether Pipedrive still lets us act for this user, and what is left of the company's calls for today. */
export function MyConnection({ store }: { store: Store }) {
  const me = useStore(store, (state) => state.me);
  const { limit, remaining, resetsAt, notesWaiting } = me.tokenBudget;
  const zone = me.user.timeZone.replaceAll('_', ' ');
  return (
    <section class="settings-group" aria-label={t('settings.connection')}>
      <h2>{t('settings.connection')}</h2>
      <div class="card rows-card">
        <div class="option">
          <span class="person">
            <Avatar id={me.user.id} name={me.user.name} url={me.user.avatarUrl} size={40} />
            <span class="two-lines">
              <span>{me.user.name}</span>
              <small>{[me.user.email, me.company.name, zone].filter(Boolean).join(' · ')}</small>
            </span>
          </span>
          <span class={`pill ${me.reconnectNeeded ? 'bad' : 'ok'}`}>
            <Icon name={me.reconnectNeeded ? 'circle-x' : 'circle-check'} size={14} />
            {t(me.reconnectNeeded ? 'health.broken' : 'health.ok')}
          </span>
        </div>
        {me.reconnectNeeded && (
          <div class="option">
            <p>{t('settings.connection.ended')}</p>
            <a class="button primary" href="/install" target="_blank" rel="noreferrer noopener">
              {t('settings.connection.renew')}
            </a>
          </div>
        )}
        {limit !== null && remaining !== null && (
          <div class="option">
            <span class="two-lines">
              <span>{t('settings.budget')}</span>
              <small>
                {notesWaiting > 0 && resetsAt !== null
                  ? t('history.waiting', { time: clockTime(resetsAt) })
                  : t('settings.budget.body')}
              </small>
            </span>
            <b class="numbers">{t('settings.budget.left', { n: count(remaining), limit: count(limit) })}</b>
          </div>
        )}
      </div>
    </section>
  );
}

const count = (n: number): string => new Intl.NumberFormat(locale()).format(n);

/** Only a page of its own holds the cookie that a download needs; inside Pipedrive the way leads there. */
export function CompanyData({ inTab }: { inTab: boolean }) {
  return (
    <section class="settings-group" aria-label={t('settings.data')}>
      <h2>{t('settings.data')}</h2>
      <div class="card rows-card">
        <div class="option">
          <span class="two-lines">
            <span>{t('settings.export')}</span>
            <small>{t('settings.export.body')}</small>
          </span>
          <span class="acts">
            {inTab ? (
              (['json', 'csv'] as const).map((format) => (
                <a
                  key={format}
                  class="button"
                  href={`/api/export?format=${format}`}
                  download={`conversations.${format}`}
                >
                  {format.toUpperCase()}
                </a>
              ))
            ) : (
              <a class="button" href="/settings" target="_blank" rel="noreferrer noopener">
                {t('settings.export.open')}
              </a>
            )}
          </span>
        </div>
      </div>
    </section>
  );
}
