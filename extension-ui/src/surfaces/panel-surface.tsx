// What the panel shows, by its height: who and one button; the last messages; the conversation; all of it (ui.md 3.2).
import { useEffect, useState } from 'preact/hooks';
import type { Conversation, Message, RecordType } from '../../../src/web/contract.ts';
import { absentOf } from '../absent.ts';
import type { Host } from '../host.ts';
import { Avatar, providerName } from '../parts/avatar.tsx';
import { Empty, RowsSkeleton } from '../parts/empty.tsx';
import { Icon } from '../parts/icon.tsx';
import { Menu, type MenuItem } from '../parts/menu.tsx';
import { ReplyTime } from '../parts/reply-time.tsx';
import { firstName } from '../parts/row.tsx';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';
import { listTime, timeLeft } from '../time.ts';
import { useNow, useSize, useStore } from '../use-store.ts';
import { AbsentConversation } from './absent-conversation.tsx';
import { AssigneeMenu } from './assignee-menu.tsx';
import { LinkConversation } from './link-conversation.tsx';
import { ThreadPane } from './thread-pane.tsx';

/** What a panel asks for at first, and again when somebody unfolds it. */
const usualHeight = 420;
const [lowHeight, threadHeight, wholeHeight] = [200, 320, 600];
const extracts = 3;

export interface PanelProps {
  readonly store: Store;
  readonly host: Host | null;
  readonly resource: string;
  readonly recordId: string;
}

export function PanelSurface({ store, host, resource, recordId }: PanelProps) {
  const [root, setRoot] = useState<HTMLDivElement | null>(null);
  const size = useSize(root);
  const [ids, setIds] = useState<readonly string[] | null>(null);
  const [linking, setLinking] = useState(false);
  const conversation = useStore(store, (state) =>
    state.selected ? state.conversations.get(state.selected) : undefined,
  );
  const absent = useStore(store, absentOf);
  const known = useStore(store, (state) => state.conversations);
  const look = async (chosen?: string): Promise<void> => {
    const type = (['person', 'deal', 'organization'] as const).find((one) => one === resource);
    if (!type) return setIds([]);
    try {
      const { data } = await store.api.conversations({ recordType: type, recordId });
      const sorted = openFirst(data);
      for (const { id } of sorted.slice(1)) store.actions.refresh(id);
      const first = chosen ?? sorted[0]?.id;
      if (first !== undefined) store.actions.select(first);
      setIds(sorted.map(({ id }) => id));
    } catch (error) {
      setIds([]);
      store.actions.explain(error);
    }
  };
  useEffect(() => void look(), [store, resource, recordId]);
  const canLink: RecordType | null = resource === 'person' || resource === 'deal' ? resource : null;
  const beginLinking = (): void => {
    if (size.height < threadHeight) host?.grow(usualHeight);
    setLinking(true);
  };
  const others = (ids ?? []).flatMap((id) => (id === conversation?.id ? [] : (known.get(id) ?? [])));
  const switcher = <Switcher store={store} others={others} onLink={canLink ? beginLinking : null} />;
  const openWindow = (): void => void host?.showWindow(conversation ? { conversationId: conversation.id } : {});
  const low = size.height < threadHeight;
  return (
    <div ref={setRoot} class={`surface panel one-pane${low ? ' low' : ''}${size.height < lowHeight ? ' lowest' : ''}`}>
      <h1 class="sr-only">{t('app.name')}</h1>
      {ids === null ? (
        <RowsSkeleton />
      ) : linking && canLink ? (
        <section class="panel-link" aria-label={t('panel.link')}>
          <header class="panel-head">
            <b>{t('panel.link')}</b>
            <button type="button" class="icon-button" aria-label={t('cancel')} onClick={() => setLinking(false)}>
              <Icon name="x" size={16} />
            </button>
          </header>
          <LinkConversation
            store={store}
            type={canLink}
            recordId={recordId}
            onDone={(id) => {
              setLinking(false);
              void look(id);
            }}
          />
        </section>
      ) : absent?.private ? (
        <AbsentConversation
          key={absent.id}
          store={store}
          absent={absent}
          head={others.length > 0 && <header class="panel-head">{switcher}</header>}
        />
      ) : !conversation ? (
        <Nothing lowest={size.height < lowHeight} onLink={canLink ? beginLinking : null} onOpen={openWindow} />
      ) : low ? (
        <Extract
          store={store}
          conversation={conversation}
          lowest={size.height < lowHeight}
          switcher={switcher}
          onReply={openWindow}
        />
      ) : (
        <ThreadPane
          store={store}
          conversation={conversation}
          host={host}
          size={{ width: size.width, height: size.height < wholeHeight ? 500 : size.height }}
          onePane={false}
          onBack={() => undefined}
          onContext={null}
          onLink={openWindow}
          switcher={switcher}
        />
      )}
    </div>
  );
}

/** Open ones first, each newest first. */
function openFirst(all: readonly Conversation[]): Conversation[] {
  return [...all.filter(({ status }) => status === 'open'), ...all.filter(({ status }) => status !== 'open')];
}

/** The record's other conversations, and the way to one more. */
function Switcher({
  store,
  others,
  onLink,
}: {
  store: Store;
  others: readonly Conversation[];
  onLink: (() => void) | null;
}) {
  const now = useNow(store.get().clockOffset);
  const items: MenuItem[] = others.map(({ id, contact, channel, lastMessage, unreadCount }) => ({
    key: id,
    label: `${contact.name}, ${providerName(channel.provider)}`,
    content: (
      <>
        <Avatar id={contact.id} name={contact.name} url={contact.avatarUrl} size={24} provider={channel.provider} />
        <span class="two-lines">
          <span dir="auto">{contact.name}</span>
          <small>
            {[channel.name, lastMessage && listTime(lastMessage.createdAt, now)].filter(Boolean).join(' · ')}
          </small>
        </span>
        {unreadCount > 0 && <span class="badge">{unreadCount}</span>}
      </>
    ),
    onPick: () => store.actions.select(id),
  }));
  if (onLink) {
    items.push({
      key: 'link',
      label: t('panel.link'),
      rule: items.length > 0,
      icon: 'link',
      onPick: onLink,
    });
  }
  if (items.length === 0) return null;
  const label = others.length > 0 ? t('panel.others', { n: others.length }) : t('panel.link');
  return (
    <Menu label={label} button={<Icon name={others.length > 0 ? 'chevron-down' : 'link'} size={16} />} items={items} />
  );
}

function Nothing({ lowest, onLink, onOpen }: { lowest: boolean; onLink: (() => void) | null; onOpen: () => void }) {
  const act = (
    <button type="button" class={`button${onLink ? ' primary' : ''}`} onClick={onLink ?? onOpen}>
      <Icon name="link" size={16} />
      {t(onLink ? 'panel.link' : 'panel.none.action')}
    </button>
  );
  if (lowest) {
    return (
      <div class="panel-line">
        <span class="two-lines">
          <b>{t('panel.none.title')}</b>
        </span>
        {act}
      </div>
    );
  }
  return (
    <Empty
      icon="message-square"
      title={t('panel.none.title')}
      body={t(onLink ? 'panel.none.body' : 'panel.none.organization')}
    >
      {act}
    </Empty>
  );
}

/** Who, how long, the last messages as extracts; the answer is written in the floating window, where there is room. */
function Extract({
  store,
  conversation,
  lowest,
  switcher,
  onReply,
}: {
  store: Store;
  conversation: Conversation;
  lowest: boolean;
  switcher: preact.ComponentChildren;
  onReply: () => void;
}) {
  const now = useNow(store.get().clockOffset);
  const thread = useStore(store, (state) => state.threads.get(conversation.id));
  const { contact, channel, lastMessage, unreadCount, assignee } = conversation;
  const left = timeLeft(conversation.replyUntil, conversation.replyWindowMs, now);
  const unread = unreadCount > 0 && <span class="badge">{unreadCount}</span>;
  const avatar = (
    <Avatar id={contact.id} name={contact.name} url={contact.avatarUrl} size={36} provider={channel.provider} />
  );
  const reply = (
    <button type="button" class="button primary" onClick={onReply}>
      <Icon name="reply" size={16} />
      {t('panel.reply')}
    </button>
  );
  if (lowest) {
    return (
      <div class="panel-line">
        {avatar}
        <span class="two-lines">
          <span>
            <b dir="auto">{contact.name}</b> {unread}
          </span>
          <small class={unreadCount > 0 ? 'unread' : ''} dir="auto">
            {lastMessage?.preview ?? ''}
          </small>
          <ReplyTime left={left} provider={channel.provider} form="short" />
        </span>
        {reply}
      </div>
    );
  }
  const messages = (thread?.messages ?? []).slice(-extracts);
  const read = conversation.readThrough;
  const isUnread = (message: Message): boolean =>
    message.direction === 'inbound' && unreadCount > 0 && (read === null || message.id > read);
  return (
    <section class="panel-extract" aria-label={t('thread.landmark', { name: contact.name })}>
      <header class="panel-head">
        {avatar}
        <span class="two-lines">
          <span>
            <b dir="auto">{contact.name}</b> {unread}
          </span>
          <small>
            <ReplyTime left={left} provider={channel.provider} form="left" />
            {assignee && ` • ${firstName(assignee.name)}`}
          </small>
        </span>
        {switcher}
      </header>
      <ol>
        {messages.map((message) => (
          <li key={message.id} class={isUnread(message) ? 'unread' : ''}>
            <small>
              {message.direction === 'outbound' &&
              message.author.kind === 'user' &&
              message.author.id === store.get().me.user.id
                ? t('panel.you')
                : firstName(message.author.name)}{' '}
              {listTime(message.createdAt, now)}
            </small>
            <span dir="auto">{message.text || t(`kind.${message.kind}`)}</span>
          </li>
        ))}
      </ol>
      <footer>
        {reply}
        <AssigneeMenu store={store} conversation={conversation} narrow />
      </footer>
    </section>
  );
}
