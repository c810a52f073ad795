// One conversation in the list: a link, so that a middle click opens it in a tab of its own.
import type { Conversation } from '../../../src/web/contract.ts';
import { t } from '../texts.ts';
import { listTime, timeLeft } from '../time.ts';
import { Avatar, ChannelMark, providerName } from './avatar.tsx';
import { Icon } from './icon.tsx';
import { memo } from './memo.ts';
import { ReplyTime } from './reply-time.tsx';
import { Tick } from './tick.tsx';

export interface RowProps {
  readonly conversation: Conversation;
  readonly now: number;
  readonly selected: boolean;
  readonly focusable: boolean;
  readonly draft: string;
  readonly typing: string | null;
  readonly awayAssignee: boolean;
  readonly showAssignee: boolean;
  readonly meId: string;
  /** Two lines: the reply time takes the place of the clock time when it is short. */
  readonly low: boolean;
  readonly index: number;
  /** Where it stands in the list, in px, and what measures it. */
  readonly start: number;
  readonly measure: (element: HTMLElement | null) => void;
  /** How many there are in all, or -1 while that is not known. */
  readonly total: number;
  readonly onOpen: (id: string) => void;
  readonly onHover: (id: string, at: 'over' | 'out' | 'down') => void;
}

export const Row = memo(function Row(props: RowProps) {
  const { conversation, now, selected, focusable } = props;
  const { contact, channel, lastMessage, unreadCount } = conversation;
  const left = timeLeft(conversation.replyUntil, conversation.replyWindowMs, now);
  const time = lastMessage ? listTime(lastMessage.createdAt, now) : '';
  const unread = unreadCount > 0;
  return (
    <li
      ref={props.measure}
      data-index={props.index}
      aria-setsize={props.total}
      aria-posinset={props.index + 1}
      style={{ transform: `translateY(${props.start}px)` }}
    >
      <a
        class={`row${selected ? ' selected' : ''}${unread ? ' unread' : ''}`}
        href={`/conversations/${conversation.id}`}
        aria-current={selected ? 'true' : undefined}
        tabIndex={focusable ? 0 : -1}
        data-id={conversation.id}
        onClick={(event) => {
          if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
          event.preventDefault();
          props.onOpen(conversation.id);
        }}
        onPointerDown={() => props.onHover(conversation.id, 'down')}
        onPointerEnter={() => props.onHover(conversation.id, 'over')}
        onPointerLeave={() => props.onHover(conversation.id, 'out')}
      >
        <Avatar id={contact.id} name={contact.name} url={contact.avatarUrl} size={36} provider={channel.provider} />
        <span class="row-body">
          <span class="line-1">
            <span class="mark-before">
              <ChannelMark provider={channel.provider} size={13} />
            </span>
            <span class="name" title={contact.name} dir="auto">
              {contact.name}
            </span>
            <span class="sr-only">, {providerName(channel.provider)}, </span>
            {props.low && (left.urgency === 'soon' || left.urgency === 'last') ? (
              <ReplyTime left={left} provider={channel.provider} form="short" />
            ) : (
              <span class="when">{time}</span>
            )}
          </span>
          <span class="sr-only">: </span>
          <span class="line-2">
            <Preview {...props} />
            {unread && (
              <span class="badge">
                {unreadCount > 99 ? '99+' : unreadCount}
                <span class="sr-only"> {t('section.unread', { n: unreadCount })}</span>
              </span>
            )}
          </span>
          <span class="sr-only">. </span>
          <span class="line-3">
            <ReplyTime left={left} provider={channel.provider} form="short" />
            <Meta {...props} />
          </span>
        </span>
      </a>
    </li>
  );
});

/** A row never shows two marks: failed before draft before typing before tick. */
function Preview({ conversation, draft, typing, meId }: RowProps) {
  const last = conversation.lastMessage;
  if (last?.status === 'failed') {
    return (
      <span class="preview failed">
        <Icon name="circle-alert" size={14} class="bad" />
        {last.errorMessage ?? t('row.notSent')}
      </span>
    );
  }
  if (draft.trim() !== '') {
    const [before = '', after = ''] = t('row.draft', { text: '\u0001' }).split('\u0001');
    return (
      <span class="preview">
        <b class="draft">{before.trim()}</b> {draft.trim()}
        {after}
      </span>
    );
  }
  if (typing) {
    return (
      <span class="preview">
        <Typing /> {t('row.typing', { name: typing })}
      </span>
    );
  }
  if (!last) return <span class="preview" />;
  if (last.direction === 'inbound') {
    return (
      <span class="preview" dir="auto">
        <KindIcon kind={last.kind} />
        {last.preview}
      </span>
    );
  }
  const words =
    last.authorId === meId
      ? t('row.you', { text: last.preview })
      : t('row.by', {
          name: last.authorId === null ? last.authorName : firstName(last.authorName),
          text: last.preview,
        });
  return (
    <span class="preview" dir="auto">
      <Tick status={last.status} />
      {words}
    </span>
  );
}

function KindIcon({ kind }: { kind: string }) {
  if (kind === 'image') return <Icon name="image" size={14} />;
  if (kind === 'audio') return <Icon name="mic" size={14} />;
  if (kind === 'file') return <Icon name="file-text" size={14} />;
  return kind === 'location' ? <Icon name="map-pin" size={14} /> : null;
}

export function Typing() {
  return (
    <span class="typing" aria-hidden="true">
      <i />
      <i />
      <i />
    </span>
  );
}

function Meta({ conversation, awayAssignee, showAssignee }: RowProps) {
  const { links, assignee } = conversation;
  const deals = links.filter((link) => link.type !== 'person');
  const shown = deals.length > 1 ? t('row.deals', { n: deals.length }) : (deals[0]?.title ?? links[0]?.title);
  return (
    <>
      <span class="dot"> • </span>
      {shown ? <span class="linked">{shown}</span> : <span class="not-linked">{t('row.notLinked')}</span>}
      {assignee && showAssignee && (
        <>
          <span class="dot"> • </span>
          {awayAssignee ? (
            <span class="away">
              <Icon name="moon" size={12} />
              {t('row.away', { name: firstName(assignee.name) })}
            </span>
          ) : (
            <span class="assignee">{firstName(assignee.name)}</span>
          )}
        </>
      )}
    </>
  );
}

export function firstName(name: string): string {
  return name.split(' ')[0] ?? name;
}
