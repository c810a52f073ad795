// The conversation: header, links strip, messages, who else is here, composer or what stands in its place.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Conversation } from '../../../src/web/contract.ts';
import type { Host } from '../host.ts';
import { Avatar, ChannelMark, providerName } from '../parts/avatar.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Icon, WithIcon } from '../parts/icon.tsx';
import { Menu, type MenuItem } from '../parts/menu.tsx';
import { ReplyTime } from '../parts/reply-time.tsx';
import { firstName } from '../parts/row.tsx';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';
import { clockTime, timeLeft } from '../time.ts';
import { useNow, useStore, type Size } from '../use-store.ts';
import { Foot } from './foot.tsx';
import { Messages } from './messages.tsx';

export interface ThreadPaneProps {
  readonly store: Store;
  readonly conversation: Conversation;
  readonly host: Host | null;
  readonly size: Size;
  readonly onePane: boolean;
  readonly onBack: () => void;
  readonly onContext: (() => void) | null;
  /** Folds the context pane away, where it stands beside the thread; its content needs no strip then. */
  readonly onFold?: (() => void) | null;
  readonly onKeys?: () => void;
  readonly onLink: () => void;
  /** Stands first among the acts of the header. */
  readonly switcher?: ComponentChildren;
}

export function ThreadPane(props: ThreadPaneProps) {
  const { store, conversation, size } = props;
  const [dropping, setDropping] = useState(false);
  return (
    <section
      class="thread-pane"
      aria-label={t('thread.landmark', { name: conversation.contact.name })}
      onDragOver={(event) => {
        if (!event.dataTransfer?.types.includes('Files')) return;
        event.preventDefault();
        setDropping(true);
      }}
      onDragLeave={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setDropping(false);
      }}
      onDrop={(event) => {
        event.preventDefault();
        setDropping(false);
        store.actions.addFiles(conversation.id, [...(event.dataTransfer?.files ?? [])]);
      }}
    >
      <Header {...props} />
      {size.height >= 520 && !props.onFold && <LinksStrip {...props} />}
      <Messages store={store} conversation={conversation} host={props.host} onLink={props.onLink} />
      <Foot store={store} conversation={conversation} narrow={props.onePane || size.width < 480} />
      {dropping && (
        <div class="drop-here" aria-hidden="true">
          <Icon name="paperclip" size={22} />
          {t('composer.drop', { name: firstName(conversation.contact.name) })}
        </div>
      )}
    </section>
  );
}

function Header(props: ThreadPaneProps) {
  const { store, conversation, onePane, size, onBack, onContext, onFold, onKeys, onLink } = props;
  const now = useNow(store.get().clockOffset);
  const [deleting, setDeleting] = useState(false);
  const left = timeLeft(conversation.replyUntil, conversation.replyWindowMs, now);
  const { contact, channel, status } = conversation;
  const open = status === 'open';
  const narrow = size.width < 480;
  const more: MenuItem[] = [
    ...(onContext
      ? [
          {
            key: 'context',
            label: t('drawer.title'),
            content: <WithIcon icon="panel-right" words={t('drawer.title')} />,
            onPick: onContext,
          },
        ]
      : []),
    { key: 'link', label: t('link.title'), content: <WithIcon icon="link" words={t('link.title')} />, onPick: onLink },
    {
      key: 'copy',
      label: t('thread.copyLink'),
      content: <WithIcon icon="external-link" words={t('thread.copyLink')} />,
      onPick: () => copyLink(store, conversation.id),
    },
    ...(onKeys
      ? [
          {
            key: 'keys',
            label: t('keys.title'),
            content: <WithIcon icon="keyboard" words={t('keys.title')} />,
            onPick: onKeys,
          },
        ]
      : []),
    ...(conversation.canDelete
      ? [
          {
            key: 'delete',
            label: t('thread.delete'),
            danger: true,
            rule: true,
            content: <WithIcon icon="trash-2" words={t('thread.delete')} />,
            onPick: () => setDeleting(true),
          },
        ]
      : []),
  ];
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
      {deleting && <DeleteDialog store={store} conversation={conversation} onClose={() => setDeleting(false)} />}
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

export function AssigneeMenu({
  store,
  conversation,
  narrow,
}: {
  store: Store;
  conversation: Conversation;
  narrow: boolean;
}) {
  const users = useStore(store, (state) => state.users);
  const me = useStore(store, (state) => state.me.user);
  const { assignee } = conversation;
  const inOrder = [...users].sort(
    (left, right) =>
      Number(right.id === me.id) - Number(left.id === me.id) ||
      Number(right.available) - Number(left.available) ||
      left.name.localeCompare(right.name),
  );
  const items: MenuItem[] = inOrder.map((user) => ({
    key: user.id,
    label: user.name,
    checked: assignee?.id === user.id,
    disabled: !user.available,
    content: (
      <>
        <Avatar id={user.id} name={user.name} url={user.avatarUrl} size={24} />
        <span class="two-lines">
          <span>{user.id === me.id ? t('assign.me', { name: user.name }) : user.name}</span>
          {!user.available && (
            <small>
              <Icon name="moon" size={12} /> {t('assign.away', { name: firstName(user.name) })}
            </small>
          )}
        </span>
        {assignee?.id === user.id && <Icon name="check" size={16} />}
      </>
    ),
    onPick: () => void store.actions.assign(conversation.id, { id: user.id, name: user.name }),
  }));
  if (assignee) {
    items.push({
      key: 'nobody',
      label: t('assign.nobody'),
      rule: true,
      content: <WithIcon icon="x" words={t('assign.nobody')} />,
      onPick: () => void store.actions.assign(conversation.id, null),
    });
  }
  return (
    <Menu
      label={assignee ? t('assign.label', { name: assignee.name }) : t('thread.assign')}
      buttonClass={narrow ? 'icon-button' : 'button assignee-button'}
      button={
        assignee ? (
          <>
            <Avatar id={assignee.id} name={assignee.name} size={narrow ? 24 : 20} />
            {!narrow && <span>{firstName(assignee.name)}</span>}
            {!narrow && <Icon name="chevron-down" size={14} />}
          </>
        ) : (
          <>
            <Icon name="user-check" size={16} />
            {!narrow && <span>{t('thread.assign')}</span>}
          </>
        )
      }
      items={items}
    />
  );
}

function DeleteDialog({
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
  const keep = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    keep.current?.focus();
    void store.api
      .size(conversation.id)
      .then(setSize)
      .catch(() => undefined);
  }, [store, conversation.id]);
  const provider = providerName(conversation.channel.provider);
  const title = t('delete.title', { name: conversation.contact.name });
  return (
    <Dialog
      kind="question"
      title={title}
      label={title}
      onClose={onClose}
      footer={
        <>
          <button ref={keep} type="button" class="button" onClick={onClose}>
            {t('delete.keep')}
          </button>
          <button
            type="button"
            class="button danger"
            disabled={!sure}
            onClick={() => (onClose(), void store.actions.deleteConversation(conversation.id))}
          >
            <Icon name="trash-2" size={16} />
            {t('delete.confirm')}
          </button>
        </>
      }
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
    </Dialog>
  );
}

function LinksStrip({ store, conversation, host, onLink, onContext }: ThreadPaneProps) {
  const { links } = conversation;
  const people = links.filter(({ type }) => type === 'person');
  const records = links.filter(({ type }) => type !== 'person');
  const shown = [...people, ...records].slice(0, 3);
  return (
    <div class="links-strip">
      {shown.map((link) => (
        <Menu
          key={link.id}
          label={link.title}
          align="left"
          buttonClass={`chip ${link.type}${link.state === 'broken' ? ' broken' : ''}`}
          button={
            <>
              <Icon
                name={
                  link.state === 'broken'
                    ? 'unlink'
                    : link.type === 'person'
                      ? 'user'
                      : link.type === 'lead'
                        ? 'inbox'
                        : 'circle-dollar-sign'
                }
                size={14}
              />
              <span class="chip-text">{link.title}</span>
            </>
          }
          items={[
            ...(link.state === 'broken'
              ? [{ key: 'why', label: link.title, disabled: true, content: t('link.broken', { title: link.title }) }]
              : []),
            ...(host
              ? [
                  {
                    key: 'open',
                    label: t('link.open'),
                    content: <WithIcon icon="external-link" words={t('link.open')} />,
                    onPick: () => host.openRecord(link.type, link.recordId),
                  },
                ]
              : [
                  {
                    key: 'open',
                    label: t('link.open'),
                    content: <WithIcon icon="external-link" words={t('link.open')} />,
                    href: link.url,
                  },
                ]),
            {
              key: 'unlink',
              label: t('link.unlink'),
              content: <WithIcon icon="unlink" words={t('link.unlink')} />,
              onPick: () => void store.actions.unlink(conversation.id, link),
            },
          ]}
        />
      ))}
      {links.length > 3 && (
        <button type="button" class="chip" onClick={() => onContext?.()}>
          +{links.length - 3}
        </button>
      )}
      <button type="button" class="chip dashed" onClick={onLink}>
        <Icon name="link" size={14} />
        {t('link.button')}
      </button>
      <HistoryMark conversation={conversation} store={store} />
    </div>
  );
}

export function HistoryMark({ conversation, store }: { conversation: Conversation; store: Store }) {
  const budget = useStore(store, (state) => state.me.tokenBudget);
  if (conversation.links.length === 0) return null;
  if (conversation.historyComplete) {
    return (
      <span class="history ok" title={t('history.complete')}>
        <Icon name="clipboard-check" size={14} />
        <span>{t('history.complete')}</span>
      </span>
    );
  }
  if (budget.reason) {
    return (
      <span
        class="history warn"
        title={t('history.waiting', { time: budget.resetsAt ? clockTime(budget.resetsAt) : '' })}
      >
        <Icon name="clock" size={14} />
        <span>{t('history.waits')}</span>
      </span>
    );
  }
  return (
    <span class="history">
      <Icon name="clock" size={14} />
      <span>{t('history.writing')}</span>
    </span>
  );
}
