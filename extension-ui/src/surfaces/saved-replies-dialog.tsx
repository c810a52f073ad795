// Saved replies (V12): the company's, which admins write, and one's own. List, write, change, remove.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { SavedReply } from '../../../src/web/contract.ts';
import { ApiError } from '../api.ts';
import { Dialog } from '../parts/dialog.tsx';
import { Icon } from '../parts/icon.tsx';
import { Problem } from '../parts/problem.tsx';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';
import { useStore } from '../use-store.ts';
import './saved-replies-dialog.css';

export function SavedRepliesDialog({ store, onClose }: { store: Store; onClose: () => void }) {
  const replies = useStore(store, (state) => state.savedReplies);
  const isAdmin = useStore(store, (state) => state.me.user.isAdmin);
  const [editing, setEditing] = useState<SavedReply | 'new' | null>(null);
  useEffect(() => store.actions.loadSavedReplies(), [store]);
  const mayChange = ({ scope }: SavedReply): boolean => scope === 'personal' || isAdmin;
  const remove = (reply: SavedReply): void =>
    void store.api
      .removeSavedReply(reply.id)
      .then(() => {
        store.actions.loadSavedReplies();
        const again = { name: reply.name, text: reply.text, scope: reply.scope };
        store.actions.toast(
          t('replies.removed', { name: reply.name }),
          () =>
            void store.api.createSavedReply(again).then(() => store.actions.loadSavedReplies(), store.actions.explain),
        );
      })
      .catch(store.actions.explain);
  if (editing) {
    return (
      <ReplyForm
        store={store}
        reply={editing === 'new' ? null : editing}
        onDone={() => {
          setEditing(null);
          store.actions.loadSavedReplies();
        }}
        onClose={() => setEditing(null)}
      />
    );
  }
  return (
    <Dialog
      kind="settings"
      title={t('replies.title')}
      label={t('replies.title')}
      onClose={onClose}
      footer={
        <button type="button" class="button primary" onClick={() => setEditing('new')}>
          <Icon name="plus" size={16} />
          {t('replies.new')}
        </button>
      }
    >
      <p class="small">{t('replies.body')}</p>
      {replies?.length === 0 && <p class="replies-empty">{t('replies.none')}</p>}
      <ul class="reply-list">
        {(replies ?? []).map((reply) => (
          <li key={reply.id}>
            <span class="two-lines">
              <b>{reply.name}</b>
              <small dir="auto">{reply.text}</small>
            </span>
            <span class="reply-scope">
              <Icon name={reply.scope === 'company' ? 'users' : 'user'} size={14} />
              {t(`replies.scope.${reply.scope}`)}
            </span>
            {mayChange(reply) && (
              <span class="reply-acts">
                <button
                  type="button"
                  class="icon-button"
                  aria-label={t('replies.change', { name: reply.name })}
                  title={t('replies.change', { name: reply.name })}
                  onClick={() => setEditing(reply)}
                >
                  <Icon name="pencil" size={16} />
                </button>
                <button
                  type="button"
                  class="icon-button"
                  aria-label={t('replies.remove', { name: reply.name })}
                  title={t('replies.remove', { name: reply.name })}
                  onClick={() => remove(reply)}
                >
                  <Icon name="trash-2" size={16} />
                </button>
              </span>
            )}
          </li>
        ))}
      </ul>
    </Dialog>
  );
}

function ReplyForm({
  store,
  reply,
  onDone,
  onClose,
}: {
  store: Store;
  reply: SavedReply | null;
  onDone: () => void;
  onClose: () => void;
}) {
  const isAdmin = useStore(store, (state) => state.me.user.isAdmin);
  const [name, setName] = useState(reply?.name ?? '');
  const [text, setText] = useState(reply?.text ?? '');
  const [scope, setScope] = useState<SavedReply['scope']>(reply?.scope ?? 'personal');
  const [problem, setProblem] = useState('');
  const area = useRef<HTMLTextAreaElement>(null);
  const save = async (): Promise<void> => {
    setProblem('');
    try {
      const wanted = { name: name.trim(), text, scope };
      if (reply) await store.api.changeSavedReply(reply.id, wanted);
      else await store.api.createSavedReply(wanted);
      onDone();
    } catch (error) {
      setProblem(error instanceof ApiError && error.message ? error.message : t('net.noAnswer'));
    }
  };
  const insert = (placeholder: string): void => {
    const at = area.current?.selectionStart ?? text.length;
    setText(text.slice(0, at) + placeholder + text.slice(area.current?.selectionEnd ?? at));
    area.current?.focus();
  };
  const title = t(reply ? 'replies.change' : 'replies.new', { name: reply?.name ?? '' });
  return (
    <Dialog
      kind="settings"
      title={title}
      label={title}
      onClose={onClose}
      footer={
        <>
          <button type="button" class="button" onClick={onClose}>
            {t('cancel')}
          </button>
          <button type="submit" form="saved-reply" class="button primary">
            {t('replies.save')}
          </button>
        </>
      }
    >
      <form id="saved-reply" class="form" onSubmit={(event) => (event.preventDefault(), void save())}>
        <label class="field">
          <span>{t('replies.name')}</span>
          <input
            value={name}
            maxLength={80}
            required
            aria-describedby="reply-name-hint"
            onInput={(event) => setName(event.currentTarget.value)}
          />
          <small id="reply-name-hint">{t('replies.name.hint')}</small>
        </label>
        <label class="field">
          <span>{t('replies.text')}</span>
          <textarea
            ref={area}
            class="reply-text"
            rows={5}
            value={text}
            maxLength={4_000}
            required
            dir="auto"
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
        <p class="placeholders">
          {t('replies.insert')}
          {['{contact}', '{user}'].map((placeholder) => (
            <button key={placeholder} type="button" class="chip" onClick={() => insert(placeholder)}>
              {t(`replies.placeholder.${placeholder.slice(1, -1)}`)}
            </button>
          ))}
        </p>
        {isAdmin && (
          <fieldset>
            <legend>{t('replies.scope')}</legend>
            {(['personal', 'company'] as const).map((one) => (
              <label key={one} class="radio-card slim">
                <input type="radio" name="scope" checked={scope === one} onChange={() => setScope(one)} />
                <Icon name={one === 'company' ? 'users' : 'user'} size={16} />
                <span>{t(`replies.scope.${one}`)}</span>
              </label>
            ))}
          </fieldset>
        )}
        {problem !== '' && <Problem>{problem}</Problem>}
      </form>
    </Dialog>
  );
}
