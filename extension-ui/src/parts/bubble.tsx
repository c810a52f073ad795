// One message: its bubble, and under it time, marks, and what to do when it failed.
import type { ComponentChildren } from 'preact';
import type { Attachment, Message } from '../../../src/web/contract.ts';
import { t } from '../texts.ts';
import { clockTime, fileSize } from '../time.ts';
import { Icon } from './icon.tsx';
import { memo } from './memo.ts';
import { firstName } from './row.tsx';
import { statusWord, Tick } from './tick.tsx';

export interface BubbleProps {
  readonly message: Message;
  readonly first: boolean;
  readonly last: boolean;
  /** The newest of ours says its status in a word. */
  readonly newestOut: boolean;
  readonly showAuthor: boolean;
  readonly provider: string;
  readonly noteTitle: string;
  readonly offline: boolean;
  readonly onResend: (message: Message) => void;
  readonly onRemove: (message: Message) => void;
  readonly onPicture: (attachment: Attachment) => void;
  readonly isOwn: boolean;
}

export const Bubble = memo(function Bubble(props: BubbleProps) {
  const { message, first, last } = props;
  const out = message.direction === 'outbound';
  const failed = message.status === 'failed';
  const outside = message.author.kind === 'external';
  const author = out ? (outside ? t('thread.outside') : message.author.name) : message.author.name;
  const classes = [
    'message',
    out ? 'out' : 'in',
    first ? 'first' : '',
    last ? 'last' : '',
    failed ? 'failed' : '',
    outside ? 'outside' : '',
  ];
  return (
    <article
      class={classes.filter(Boolean).join(' ')}
      aria-label={[author, clockTime(message.createdAt), statusWord(message.status)].filter(Boolean).join(', ')}
    >
      <Body {...props} />
      {failed ? (
        <Failure {...props} />
      ) : message.status === 'unknown' ? (
        <Unknown {...props} />
      ) : (
        (last || props.newestOut) && <MetaLine {...props} />
      )}
    </article>
  );
});

const onlyEmoji =
  /^(?:\p{Extended_Pictographic}(?:\uFE0F|\u200D\p{Extended_Pictographic}|\p{Emoji_Modifier})*\s*){1,3}$/u;

function Body({ message, onPicture, provider }: BubbleProps) {
  const { text, attachments, kind } = message;
  if (kind === 'unsupported' && attachments.length === 0) {
    return (
      <div class="bubble unsupported">
        <Icon name="circle-question-mark" size={16} />
        {t('message.unsupported', { provider })}
        {text !== '' && <Words text={text} />}
      </div>
    );
  }
  if (text !== '' && attachments.length === 0 && onlyEmoji.test(text)) return <div class="big-emoji">{text}</div>;
  const pictures = attachments.filter((attachment) => attachment.kind === 'image' || attachment.kind === 'sticker');
  const files = attachments.filter((attachment) => !pictures.includes(attachment));
  return (
    <div class={`bubble${pictures.length > 0 ? ' with-picture' : ''}`}>
      {message.replyTo && <blockquote dir="auto">{message.replyTo.preview}</blockquote>}
      {pictures.length > 0 && (
        <div class={`pictures${pictures.length > 1 ? ' several' : ''}`}>
          {pictures.map((attachment) => (
            <Picture key={attachment.id} attachment={attachment} author={message.author.name} onOpen={onPicture} />
          ))}
        </div>
      )}
      {files.map((attachment) => (
        <File key={attachment.id} attachment={attachment} />
      ))}
      {kind === 'location' && (
        <a
          class="place"
          href={`https://www.openstreetmap.org/search?query=${encodeURIComponent(text.split('\n').at(-1) ?? '')}`}
          target="_blank"
          rel="noreferrer noopener"
        >
          <Icon name="map-pin" size={16} />
          {t('message.map')}
        </a>
      )}
      {text !== '' && <Words text={text} />}
      {message.reactions.length > 0 && (
        <span class="reactions">
          {message.reactions.map((reaction) => (
            <span key={`${reaction.by} ${reaction.emoji}`}>{reaction.emoji}</span>
          ))}
        </span>
      )}
    </div>
  );
}

const address = /https?:\/\/[^\s<>"']+[^\s<>"'.,:;!?)\]]/g;

/** Text is text; only sound web addresses become links. */
function Words({ text }: { text: string }) {
  const parts: ComponentChildren[] = [];
  let at = 0;
  for (const found of text.matchAll(address)) {
    parts.push(text.slice(at, found.index));
    at = found.index + found[0].length;
    const url = URL.canParse(found[0]) ? new URL(found[0]) : undefined;
    parts.push(
      url ? (
        <a href={url.href} target="_blank" rel="noreferrer noopener">
          {url.hostname === new URL(found[0]).hostname && /[^\u0000-\u007f]/.test(found[0].split('/')[2] ?? '')
            ? url.href
            : found[0]}
        </a>
      ) : (
        found[0]
      ),
    );
  }
  parts.push(text.slice(at));
  return (
    <p class="words" dir="auto">
      {parts}
    </p>
  );
}

/** The place is kept from the known size, so that nothing jumps when it loads. */
function Picture({
  attachment,
  author,
  onOpen,
}: {
  attachment: Attachment;
  author: string;
  onOpen: (attachment: Attachment) => void;
}) {
  const ratio = attachment.width && attachment.height ? attachment.width / attachment.height : 4 / 3;
  const width = attachment.kind === 'sticker' ? 128 : Math.min(320, attachment.width ?? 320);
  const style = { '--picture-width': `${width}px`, aspectRatio: String(Math.max(0.5, Math.min(2.4, ratio))) } as Record<
    string,
    string
  >;
  if (attachment.state === 'ready' && attachment.url) {
    return (
      <button
        type="button"
        class="picture"
        style={style}
        onClick={() => onOpen(attachment)}
        aria-label={t('message.openPicture', { name: author })}
      >
        <img
          src={attachment.url}
          alt={t('message.pictureFrom', { file: attachment.name, name: author })}
          loading="lazy"
          decoding="async"
        />
      </button>
    );
  }
  return (
    <div class={`picture ${attachment.state}`} style={style}>
      <Icon name={attachment.state === 'failed' ? 'triangle-alert' : 'image'} size={20} />
      <span>{t(attachment.state === 'failed' ? 'message.pictureFailed' : 'message.fetching')}</span>
    </div>
  );
}

function File({ attachment }: { attachment: Attachment }) {
  if (attachment.state === 'ready' && attachment.url && attachment.kind === 'audio')
    return <audio controls preload="none" src={attachment.url} />;
  if (attachment.state === 'ready' && attachment.url && attachment.kind === 'video')
    return <video controls preload="none" src={attachment.url} />;
  const ending = attachment.name.includes('.') ? attachment.name.split('.').at(-1)!.toUpperCase() : '';
  const facts = [ending, attachment.size === null ? '' : fileSize(attachment.size)].filter(Boolean).join(' · ');
  const inside = (
    <>
      <span class="tile">
        <Icon
          name={attachment.kind === 'audio' ? 'mic' : attachment.kind === 'video' ? 'play' : 'file-text'}
          size={18}
        />
      </span>
      <span class="file-text">
        <span class="file-name">{attachment.name}</span>
        <span class="file-facts">
          {attachment.state === 'pending'
            ? t('message.fetching')
            : attachment.state === 'failed'
              ? t('message.fileFailed')
              : facts}
        </span>
      </span>
    </>
  );
  return attachment.state === 'ready' && attachment.url ? (
    <a class="file" href={attachment.url} target="_blank" rel="noreferrer noopener">
      {inside}
    </a>
  ) : (
    <div class="file">{inside}</div>
  );
}

function MetaLine({ message, showAuthor, newestOut, noteTitle, offline }: BubbleProps) {
  const out = message.direction === 'outbound';
  const outside = message.author.kind === 'external';
  const waiting = message.status === 'queued' && offline;
  return (
    <div class="meta">
      {outside && <span>{t('thread.outside')} · </span>}
      {out && showAuthor && !outside && <span>{firstName(message.author.name)} · </span>}
      <time dateTime={message.createdAt}>{clockTime(message.createdAt)}</time>
      {out && <Tick status={message.status} />}
      {out && (newestOut || waiting) && (
        <span class={`word ${message.status}`} aria-hidden="true">
          {waiting ? t('status.waitingNetwork') : message.status === 'queued' ? '' : statusWord(message.status)}
        </span>
      )}
      {message.inNote && (
        <span class="noted" title={t('history.inNote', { title: noteTitle })}>
          <Icon name="clipboard-check" size={13} />
          <span class="sr-only">{t('history.inNote', { title: noteTitle })}</span>
        </span>
      )}
    </div>
  );
}

function Failure({ message, onResend, onRemove, isOwn }: BubbleProps) {
  const isLocal = message.id.startsWith('local-');
  return (
    <div class="failure" role="group">
      <span class="why">
        <Icon name="circle-alert" size={16} />
        <span>
          {message.error?.message ?? t('row.notSent')}
          {message.error?.providerCode && <span class="code"> {message.error.providerCode}</span>}
        </span>
      </span>
      <span class="acts">
        {!isLocal && (
          <button type="button" class="button small" onClick={() => onResend(message)}>
            <Icon name="rotate-cw" size={14} />
            {t('failed.resend')}
          </button>
        )}
        <button
          type="button"
          class="button small plain"
          onClick={() => void navigator.clipboard?.writeText(message.text).catch(() => undefined)}
        >
          {t('failed.copy')}
        </button>
        {isOwn && (
          <button type="button" class="button small plain" onClick={() => onRemove(message)}>
            {t('failed.remove')}
          </button>
        )}
      </span>
    </div>
  );
}

function Unknown({ provider }: BubbleProps) {
  return (
    <div class="meta unknown">
      <Icon name="circle-question-mark" size={14} />
      {t('status.unknown', { provider })}
    </div>
  );
}
