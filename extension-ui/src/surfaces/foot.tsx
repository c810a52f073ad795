// Under the messages: who else is here, and the composer or what stands in its place.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { Channel, Conversation } from '../../../src/web/contract.ts';
import { Avatar, providerName } from '../parts/avatar.tsx';
import { Composer } from '../parts/composer.tsx';
import { Icon } from '../parts/icon.tsx';
import { firstName, Typing } from '../parts/row.tsx';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';
import { ago, timeLeft } from '../time.ts';
import type { Upload } from '../uploads.ts';
import { useLazy } from '../use-lazy.ts';
import { useNow, useStore } from '../use-store.ts';

const presenceEveryMs = 8_000;
const mostRecentEmoji = 24;
/** Until the channel says what it takes. */
const usualLimit = 1_600;
const noUploads: readonly Upload[] = [];
const loadTemplates = () => import('./template-picker.tsx').then(({ TemplatePicker }) => ({ default: TemplatePicker }));
const loadReplies = () =>
  import('./saved-replies-dialog.tsx').then(({ SavedRepliesDialog }) => ({ default: SavedRepliesDialog }));

export interface FootProps {
  readonly store: Store;
  readonly conversation: Conversation;
  readonly narrow: boolean;
}

export function Foot({ store, conversation, narrow }: FootProps) {
  const { id } = conversation;
  const newer = useStore(store, (state) => state.newerReply);
  const channels = useStore(store, (state) => state.channels);
  const me = useStore(store, (state) => state.me.user);
  const now = useNow(store.get().clockOffset);
  const [regardless, setRegardless] = useState(false);
  const [wantsTemplate, setWantsTemplate] = useState(false);
  const setTyping = usePresence(store, id);
  const channel = channels.find((found) => found.id === conversation.channel.id);
  const { provider } = conversation.channel;
  const over = timeLeft(conversation.replyUntil, conversation.replyWindowMs, now).urgency === 'over';
  const mayUseTemplates = channel?.sending.templates ?? provider === 'whatsapp';
  const showTemplates = mayUseTemplates && (over || wantsTemplate);
  const TemplatePicker = useLazy(showTemplates, loadTemplates);
  const { assignee } = conversation;
  const notMine = assignee !== null && assignee.id !== me.id && conversation.status === 'open' && !regardless;
  const name = firstName(conversation.contact.name);
  if (channel && channel.health.state === 'broken')
    return (
      <div class="foot">
        <PresenceLine store={store} conversationId={id} />
        <BrokenChannel store={store} channel={channel} />
      </div>
    );
  return (
    <div class="foot">
      <PresenceLine store={store} conversationId={id} />
      {newer && newer.conversationId === id && <NewerQuestion store={store} now={now} />}
      {notMine && (!over || mayUseTemplates) && (
        <div class="take-over">
          <span>{t('thread.assignedTo', { name: assignee.name })}</span>
          <button
            type="button"
            class="link-button"
            onClick={() => void store.actions.assign(id, { id: me.id, name: me.name })}
          >
            {t('thread.take')}
          </button>
          <button type="button" class="link-button" onClick={() => setRegardless(true)}>
            {t('thread.replyAnyway')}
          </button>
        </div>
      )}
      {showTemplates ? (
        TemplatePicker && (
          <TemplatePicker
            store={store}
            conversation={conversation}
            why={over ? t('over.whatsapp', { name }) : null}
            onBack={over ? null : () => setWantsTemplate(false)}
            onSent={() => setWantsTemplate(false)}
          />
        )
      ) : over ? (
        <div class="foot-note" role="status">
          <Icon name="lock" size={16} />
          <span>
            <b>{t('over.messenger.title')}</b>
            {t('over.messenger.body', { name })}
          </span>
        </div>
      ) : (
        <Writing
          store={store}
          conversation={conversation}
          channel={channel}
          narrow={narrow}
          onTyping={setTyping}
          onTemplates={() => setWantsTemplate(true)}
        />
      )}
    </div>
  );
}

/** Tells the others that somebody looks here, and whether he types. */
function usePresence(store: Store, id: string): (typing: boolean) => void {
  const typing = useRef(false);
  useEffect(() => {
    const show = (): void => {
      if (document.visibilityState === 'visible') store.actions.showPresence(id, typing.current);
    };
    show();
    const timer = setInterval(show, presenceEveryMs);
    return () => clearInterval(timer);
  }, [store, id]);
  return useCallback(
    (now: boolean): void => {
      if (typing.current === now) return;
      typing.current = now;
      store.actions.showPresence(id, now);
    },
    [store, id],
  );
}

function Writing({
  store,
  conversation,
  channel,
  narrow,
  onTyping,
  onTemplates,
}: {
  store: Store;
  conversation: Conversation;
  channel: Channel | undefined;
  narrow: boolean;
  onTyping: (typing: boolean) => void;
  onTemplates: () => void;
}) {
  const { id } = conversation;
  const draft = useStore(store, (state) => state.drafts.get(id) ?? '');
  const uploads = useStore(store, (state) => state.uploads.get(id) ?? noUploads);
  const savedReplies = useStore(store, (state) => state.savedReplies);
  const choices = useStore(store, (state) => state.choices);
  const me = useStore(store, (state) => state.me.user);
  const [managing, setManaging] = useState(false);
  const SavedRepliesDialog = useLazy(managing, loadReplies);
  const { contact } = conversation;
  return (
    <>
      <Composer
        conversationId={id}
        name={contact.name}
        provider={providerName(conversation.channel.provider)}
        draft={draft}
        maxLength={channel?.sending.maxText ?? usualLimit}
        enterSends={choices.enterSends}
        narrow={narrow}
        uploads={uploads}
        takesFiles={channel?.sending.files !== null && channel !== undefined}
        takesTemplates={channel?.sending.templates ?? false}
        savedReplies={savedReplies}
        recentEmoji={choices.recentEmoji}
        onDraft={(text) => store.actions.draft(id, text)}
        onSend={(text) => void store.actions.send(id, text)}
        onTyping={onTyping}
        onFiles={(files) => store.actions.addFiles(id, files)}
        onRemoveFile={(key) => store.actions.removeFile(id, key)}
        onWantReplies={() => store.actions.loadSavedReplies()}
        onManageReplies={() => setManaging(true)}
        onTemplates={onTemplates}
        onEmoji={(emoji) =>
          store.actions.choose({
            recentEmoji: [emoji, ...choices.recentEmoji.filter((known) => known !== emoji)].slice(0, mostRecentEmoji),
          })
        }
        fill={(text) => fillNames(text, contact.name, me.name)}
      />
      {managing && SavedRepliesDialog && <SavedRepliesDialog store={store} onClose={() => setManaging(false)} />}
    </>
  );
}

/** `{contact}` and `{user}` become first names; who has none but a number is left out (V12). */
function fillNames(text: string, contact: string, user: string): string {
  const first = /\p{L}/u.test(contact) ? firstName(contact) : '';
  return text
    .replaceAll('{contact}', first)
    .replaceAll('{user}', firstName(user))
    .replace(/ +([,.!?])/g, '$1');
}

function BrokenChannel({ store, channel }: { store: Store; channel: Channel }) {
  const me = useStore(store, (state) => state.me.user);
  const mayMend = me.isAdmin || channel.owner.id === me.id;
  return (
    <div class="foot-note bad" role="status">
      <Icon name="circle-x" size={16} />
      <span>{channel.health.reasons[0]?.message ?? t('error.channel_broken')}</span>
      {mayMend ? (
        <a class="button small" href="/settings" target="_blank" rel="noreferrer noopener">
          {t('head.settings')}
        </a>
      ) : (
        <button type="button" class="button small" onClick={() => void store.actions.askOwner(channel.id, 'reconnect')}>
          {t('settings.ask', { name: firstName(channel.owner.name) })}
        </button>
      )}
    </div>
  );
}

function PresenceLine({ store, conversationId }: { store: Store; conversationId: string }) {
  const present = useStore(store, (state) => state.presence.get(conversationId) ?? nobody);
  const [somebody] = [...present].sort((left, right) => Number(right.typing) - Number(left.typing));
  return (
    <div class="presence" role="status">
      {somebody && (
        <>
          <Avatar id={somebody.id} name={somebody.name} size={20} />
          {t(somebody.typing ? 'thread.writing' : 'thread.viewing', { name: firstName(somebody.name) })}
          {somebody.typing && <Typing />}
        </>
      )}
    </div>
  );
}

const nobody: readonly { id: string; name: string; typing: boolean }[] = [];

function NewerQuestion({ store, now }: { store: Store; now: number }) {
  const newer = useStore(store, (state) => state.newerReply);
  const keep = useRef<HTMLButtonElement>(null);
  useEffect(() => keep.current?.focus(), []);
  if (!newer) return null;
  const words = t('newer.title', { name: firstName(newer.author), ago: ago(newer.createdAt, now) });
  return (
    <div class="newer" role="alertdialog" aria-label={words}>
      <b>
        <Icon name="users" size={16} />
        {words}
      </b>
      <p class="bubble" dir="auto">
        {newer.text}
      </p>
      <span class="acts">
        <button type="button" class="button primary" onClick={() => store.actions.sendAnyway()}>
          {t('newer.send')}
        </button>
        <button ref={keep} type="button" class="button" onClick={() => store.actions.keepAsDraft()}>
          {t('newer.keep')}
        </button>
      </span>
    </div>
  );
}
