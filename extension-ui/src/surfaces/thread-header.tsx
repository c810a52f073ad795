// Over a conversation: who it is, by which channel, how long a reply is possible, and what can be done with all of it.
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Conversation } from '../../../src/web/contract.ts';
import { Avatar, ChannelMark, providerName } from '../parts/avatar.tsx';
import { Icon } from '../parts/icon.tsx';
import { Menu, type MenuItem } from '../parts/menu.tsx';
import { Question } from '../parts/question.tsx';
import { ReplyTime } from '../parts/reply-time.tsx';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';
import { timeLeft } from '../time.ts';
import { useNow, type Size } from '../use-store.ts';
import { AssigneeMenu } from './assignee-menu.tsx';

export interface ThreadHeaderProps {
  readonly store: Store;
  readonly conversation: Conversation;
  readonly size: Size;
  readonly onePane: boolean;
  readonly onBack: () => void;
  readonly onContext: (() => void) | null;
  /** Folds the context pane away, where it stands beside the thread; its content needs no strip then. */
  readonly onFold?: (() => void) | null;
  readonly onKeys?: () => void;
  readonly onLink: () => void;
  /** Stands first among the acts. */
  readonly switcher?: ComponentChildren;
}

export function ThreadHeader(props: ThreadHeaderProps) {
  const { store, conversation, onePane, size, onBack, onContext, onFold, onKeys, onLink } = props;
  const now = useNow(store.get().clockOffset);
  const [deleting, setDeleting] = useState(false);
  const left = timeLeft(conversation.replyUntil, conversation.replyWindowMs, now);
  const { contact, channel, status } = conversation;
  const open = status === 'open';
  const narrow = size.width < 480;
  const more: MenuItem[] = [
    { key: 'link', label: t('link.title'), icon: 'link', onPick: onLink },
    {
      key: 'copy',
      label: t('thread.copyLink'),
      icon: 'external-link',
      onPick: () => copyLink(store, conversation.id),
    },
  ];
  if (onContext) more.unshift({ key: 'context', label: t('drawer.title'), icon: 'panel-right', onPick: onContext });
  if (onKeys) more.push({ key: 'keys', label: t('keys.title'), icon: 'keyboard', onPick: onKeys });
  if (conversation.canDelete) {
    more.push({
      key: 'delete',
      label: t('thread.delete'),
      danger: true,
      rule: true,
      icon: 'trash-2',
      onPick: () => setDeleting(true),
    });
  }
  return (
    <header class="thread-head">
      {onePane && (
        <button type="button" class="icon-button back" aria-label={t('thread.back')} onClick={onBack}>
          <Icon name="arrow-left" size={18} />
        </button>
      )}
      {!onePane && size.width > 700 && (
        <Avatar id={contact.id} name={contact.name} url={contact.avatarUrl} size={36} provider={channel.provider} />
      )}
      <div class="thread-title">
        <h2 dir="auto" title={contact.name}>
          {contact.name}
        </h2>
        <p>
          {(onePane || size.width <= 700) && <ChannelMark provider={channel.provider} size={16} />}
          <span class="channel-name">
            {providerName(channel.provider)}
            {channel.name.toLowerCase().startsWith(channel.provider)
              ? channel.name.slice(channel.provider.length)
              : `, ${channel.name}`}
          </span>
          <span class="dot">•</span>
          <ReplyTime left={left} provider={channel.provider} form={size.width < 560 ? 'left' : 'full'} />
        </p>
      </div>
      <div class="thread-acts">
        {props.switcher}
        <AssigneeMenu store={store} conversation={conversation} narrow={narrow} />
        <button
          type="button"
          class={narrow ? 'icon-button' : 'button'}
          aria-label={t(open ? 'thread.close' : 'thread.reopen')}
          title={t(open ? 'thread.close' : 'thread.reopen')}
          onClick={() => void store.actions.setStatus(conversation.id, open ? 'closed' : 'open')}
        >
          <Icon name={open ? 'check' : 'rotate-ccw'} size={16} />
          {!narrow && <span>{t(open ? 'thread.close' : 'thread.reopen')}</span>}
        </button>
        {!onePane && size.width >= 600 && (onFold ?? onContext) && (
          <button
            type="button"
            class="icon-button"
            aria-label={t('drawer.title')}
            title={t('drawer.title')}
            aria-expanded={Boolean(onFold)}
            onClick={onFold ?? onContext ?? undefined}
          >
            <Icon name="panel-right" size={18} />
          </button>
        )}
        <Menu label={t('thread.more')} button={<Icon name="ellipsis" size={18} />} items={more} />
      </div>
      {deleting && <DeleteQuestion store={store} conversation={conversation} onClose={() => setDeleting(false)} />}
    </header>
  );
}

function copyLink(store: Store, id: string): void {
  const address = `${location.origin}/conversations/${id}`;
  void navigator.clipboard
    .writeText(address)
    .then(() => store.actions.toast(t('toast.copied')))
    .catch(() => store.actions.toast(address));
}

function DeleteQuestion({
  store,
  conversation,
  onClose,
}: {
  store: Store;
  conversation: Conversation;
  onClose: () => void;
}) {
  const [size, setSize] = useState<{ messages: number; attachments: number; links: number } | null>(null);
  const [sure, setSure] = useState(false);
  useEffect(() => {
    void store.api
      .size(conversation.id)
      .then(setSize)
      .catch(() => undefined);
  }, [store, conversation.id]);
  const provider = providerName(conversation.channel.provider);
  return (
    <Question
      title={t('delete.title', { name: conversation.contact.name })}
      keep={t('delete.keep')}
      act={t('delete.confirm')}
      icon="trash-2"
      danger
      disabled={!sure}
      onKeep={onClose}
      onAct={() => (onClose(), void store.actions.deleteConversation(conversation.id))}
    >
      <p>
        {size
          ? t('delete.body', { n: size.messages, m: size.attachments, k: size.links, provider, count: size.messages })
          : t('delete.bodyAll', { provider })}
      </p>
      <label class="check-line">
        <input type="checkbox" checked={sure} onChange={(event) => setSure(event.currentTarget.checked)} />
        {t('delete.sure')}
      </label>
    </Question>
  );
}
