// One message: its bubble, and under it time, marks, and what to do when it failed.
import type { Attachment, Message } from '../../../src/web/contract.ts';
import { t } from '../texts.ts';
import { clockTime } from '../time.ts';
import { Icon, type IconName } from './icon.tsx';
import { File, Pictures, Video, Voice } from './media.tsx';
import { memo } from './memo.ts';
import { firstName } from './row.tsx';
import { statusWord, Tick } from './tick.tsx';
import { Words } from './words.tsx';

/** What can be done from within a bubble; the same object for all of a thread, so that a bubble is drawn again only for itself. */
export interface BubbleActs {
  readonly resend: (message: Message) => void;
  readonly remove: (message: Message) => void;
  readonly copy: (text: string) => void;
  readonly openPicture: (attachment: Attachment) => void;
  readonly fetchAgain: (attachment: Attachment) => void;
  readonly jumpTo: (messageId: string) => void;
  /** Null where a person cannot be made from here. */
  readonly createPerson: ((name: string, phone: string) => void) | null;
  readonly playing: (messageId: string, playing: boolean) => void;
}

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
  readonly isOwn: boolean;
  /** Shown for a moment after a jump to it. */
  readonly marked: boolean;
  readonly acts: BubbleActs;
}

export const Bubble = memo(function Bubble(props: BubbleProps) {
  const { message, first, last } = props;
  const out = message.direction === 'outbound';
  const failed = message.status === 'failed';
  const outside = message.author.kind === 'external';
  const author = out && outside ? t('thread.outside') : message.author.name;
  const hasMeta = last || props.newestOut;
  const classes = [
    'message',
    out ? 'out' : 'in',
    first ? 'first' : '',
    last ? 'last' : '',
    failed ? 'failed' : '',
    outside ? 'outside' : '',
    props.marked ? 'marked' : '',
    message.reactions.length > 0 ? 'reacted' : '',
  ];
  return (
    <article
      class={classes.filter(Boolean).join(' ')}
      aria-label={[author, clockTime(message.createdAt), statusWord(message.status)].filter(Boolean).join(', ')}
    >
      <div class="bubble-line">
        <Body {...props} />
        {!hasMeta && !failed && (
          <time class="side-time" dateTime={message.createdAt} aria-hidden="true">
            {clockTime(message.createdAt)}
          </time>
        )}
      </div>
      {failed ? (
        <Failure {...props} />
      ) : message.status === 'unknown' ? (
        <Unknown {...props} />
      ) : (
        hasMeta && <MetaLine {...props} />
      )}
    </article>
  );
});

const onlyEmoji =
  /^(?:\p{Extended_Pictographic}(?:\uFE0F|\u200D\p{Extended_Pictographic}|\p{Emoji_Modifier})*\s*){1,3}$/u;

function Body({ message, provider, acts, offline }: BubbleProps) {
  const { text, attachments, kind, details } = message;
  const missing = { pending: pendingWords(message, offline), fetchAgain: acts.fetchAgain };
  if (kind === 'unsupported' && attachments.length === 0) {
    return (
      <div class="bubble unsupported">
        <Icon name="circle-question-mark" size={16} />
        <span>
          {t('message.unsupported', { provider })}
          {text !== '' && <Words text={text} />}
        </span>
      </div>
    );
  }
  if (text !== '' && attachments.length === 0 && !message.replyTo && onlyEmoji.test(text))
    return (
      <div class="big-emoji">
        {text}
        <Reactions message={message} />
      </div>
    );
  const pictures = attachments.filter((attachment) => attachment.kind === 'image' || attachment.kind === 'sticker');
  const onlySticker = text === '' && pictures.length === 1 && pictures[0]?.kind === 'sticker';
  const classes = [
    'bubble',
    pictures.length > 0 ? 'with-picture' : '',
    onlySticker ? 'bare' : '',
    kind === 'postback' ? 'postback' : '',
  ];
  return (
    <div class={classes.filter(Boolean).join(' ')}>
      {details?.answeredElsewhere && <Note icon="users" words={t('message.answeredElsewhere')} />}
      {details?.forwarded && <Note icon="corner-up-right" words={t('message.forwarded')} />}
      {details?.referral && <Referral referral={details.referral} />}
      {details?.template && (
        <Note icon="layout-template" words={t('message.template', { name: details.template.name })} />
      )}
      {message.replyTo && (
        <button
          type="button"
          class="quote"
          onClick={() => acts.jumpTo(message.replyTo!.id)}
          aria-label={t('message.jump', { text: message.replyTo.preview })}
        >
          <span dir="auto">{message.replyTo.preview}</span>
        </button>
      )}
      {pictures.length > 0 && (
        <Pictures pictures={pictures} author={message.author.name} missing={missing} onOpen={acts.openPicture} />
      )}
      {attachments.map((attachment) =>
        attachment.kind === 'audio' ? (
          <Voice
            key={attachment.id}
            attachment={attachment}
            missing={missing}
            onPlaying={(playing) => acts.playing(message.id, playing)}
          />
        ) : attachment.kind === 'video' ? (
          <Video key={attachment.id} attachment={attachment} missing={missing} />
        ) : attachment.kind === 'file' ? (
          <File key={attachment.id} attachment={attachment} missing={missing} />
        ) : null,
      )}
      {(details?.location ?? kind === 'location') && <Place message={message} />}
      {details?.contacts?.map((contact) => (
        <ContactCard key={contact.name + contact.phones.join()} contact={contact} onCreate={acts.createPerson} />
      ))}
      {details?.shared && <Shared shared={details.shared} />}
      {text !== '' && !saysTheSame(message) && <Words text={text} />}
      <Reactions message={message} />
    </div>
  );
}

/** What a file that is not here yet waits for: the provider's copy, or, of a reply of ours, its own way out. */
function pendingWords({ direction, author, status }: Message, offline: boolean): string {
  if (direction === 'inbound' || author.kind !== 'user') return t('message.fetching');
  if (status !== 'queued') return '';
  return offline ? t('status.waitingNetwork') : statusWord(status);
}

/** A place, card or link whose words only repeat what is drawn above them. */
function saysTheSame({ text, details }: Message): boolean {
  if (!details) return false;
  const { location, contacts, shared } = details;
  const said = [
    location?.name,
    location?.address,
    ...(location ? [String(location.latitude), String(location.longitude)] : []),
    ...(contacts ?? []).flatMap((contact) => [contact.name, ...contact.phones]),
    shared?.title,
    shared?.url,
  ].filter((part) => part !== undefined);
  if (said.length === 0) return false;
  return text.split(/\n|, | · /).every((line) => line.trim() === '' || said.some((part) => part.includes(line.trim())));
}

function Note({ icon, words }: { icon: IconName; words: string }) {
  return (
    <p class="bubble-note">
      <Icon name={icon} size={13} />
      {words}
    </p>
  );
}

type Details = NonNullable<Message['details']>;

function Referral({ referral }: { referral: NonNullable<Details['referral']> }) {
  const title = referral.title ?? referral.body ?? referral.source;
  const href = safeAddress(referral.url);
  return (
    <p class="bubble-note">
      <Icon name="megaphone" size={13} />
      <span>
        {t('message.referral')}{' '}
        {href ? (
          <a href={href} target="_blank" rel="noreferrer noopener">
            {title}
          </a>
        ) : (
          title
        )}
      </span>
    </p>
  );
}

/** Only the web: an address from outside may be anything. */
function safeAddress(url: string | undefined): string | undefined {
  if (!url || !URL.canParse(url)) return undefined;
  const parsed = new URL(url);
  return parsed.protocol === 'https:' || parsed.protocol === 'http:' ? parsed.href : undefined;
}

function Place({ message }: { message: Message }) {
  const place = message.details?.location;
  const words = place?.name ?? place?.address ?? message.text.split('\n')[0] ?? '';
  const where = place ? `${place.latitude},${place.longitude}` : (message.text.split('\n').at(-1) ?? '');
  const href = place
    ? `https://www.openstreetmap.org/?mlat=${place.latitude}&mlon=${place.longitude}#map=16/${place.latitude}/${place.longitude}`
    : `https://www.openstreetmap.org/search?query=${encodeURIComponent(where)}`;
  return (
    <a class="place" href={href} target="_blank" rel="noreferrer noopener" aria-label={t('message.map')}>
      <Icon name="map-pin" size={18} />
      <span class="two-lines">
        <span dir="auto">{words || where}</span>
        {place?.name && place.address && <small dir="auto">{place.address}</small>}
      </span>
    </a>
  );
}

function ContactCard({
  contact,
  onCreate,
}: {
  contact: { readonly name: string; readonly phones: readonly string[] };
  onCreate: BubbleActs['createPerson'];
}) {
  return (
    <div class="contact-card">
      <span class="tile">
        <Icon name="user" size={18} />
      </span>
      <span class="two-lines">
        <b dir="auto">{contact.name}</b>
        {contact.phones.map((phone) => (
          <a key={phone} href={`tel:${phone.replace(/[^+\d]/g, '')}`}>
            {phone}
          </a>
        ))}
      </span>
      {onCreate && (
        <button type="button" class="button small" onClick={() => onCreate(contact.name, contact.phones[0] ?? '')}>
          <Icon name="user-plus" size={14} />
          {t('message.createPerson')}
        </button>
      )}
    </div>
  );
}

function Shared({ shared }: { shared: NonNullable<Details['shared']> }) {
  const href = safeAddress(shared.url);
  const inside = (
    <>
      <Icon name="external-link" size={16} />
      <span class="two-lines">
        <span dir="auto">{shared.title ?? t('kind.shared')}</span>
        {href && <small>{new URL(href).hostname}</small>}
      </span>
    </>
  );
  return href ? (
    <a class="place" href={href} target="_blank" rel="noreferrer noopener">
      {inside}
    </a>
  ) : (
    <span class="place">{inside}</span>
  );
}

function Reactions({ message }: { message: Message }) {
  if (message.reactions.length === 0) return null;
  return (
    <span
      class="reactions"
      role="img"
      aria-label={message.reactions.map(({ by, emoji }) => t('message.reacted', { name: by, emoji })).join(', ')}
      title={message.reactions.map(({ by, emoji }) => `${by} ${emoji}`).join(', ')}
    >
      {message.reactions.map((reaction) => (
        <span key={`${reaction.by} ${reaction.emoji}`}>{reaction.emoji}</span>
      ))}
    </span>
  );
}

function MetaLine({ message, showAuthor, newestOut, noteTitle, offline }: BubbleProps) {
  const out = message.direction === 'outbound';
  const outside = message.author.kind === 'external';
  const waiting = message.status === 'queued' && offline;
  const parts = [
    outside ? t('thread.outside') : out && showAuthor ? firstName(message.author.name) : '',
    message.details?.edited ? t('message.edited') : '',
  ].filter((part) => part !== '');
  return (
    <div class="meta">
      {parts.map((part) => (
        <span key={part}>{part} · </span>
      ))}
      <time dateTime={message.createdAt}>{clockTime(message.createdAt)}</time>
      {out && <Tick status={message.status} />}
      {out && (newestOut || waiting) && (
        <span class={`word ${message.status}`} aria-hidden="true">
          {waiting ? t('status.waitingNetwork') : statusWord(message.status)}
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

function Failure({ message, acts, isOwn }: BubbleProps) {
  return (
    <div class="failure" role="group" aria-label={t('row.notSent')}>
      <span class="why">
        <Icon name="circle-alert" size={16} />
        <span>
          {message.error?.message ?? t('row.notSent')}
          {message.error?.providerCode && <span class="code"> {message.error.providerCode}</span>}
        </span>
      </span>
      <span class="acts">
        <button type="button" class="button small" onClick={() => acts.resend(message)}>
          <Icon name="rotate-cw" size={14} />
          {t('failed.resend')}
        </button>
        {message.text !== '' && (
          <button type="button" class="button small plain" onClick={() => acts.copy(message.text)}>
            {t('failed.copy')}
          </button>
        )}
        {isOwn && (
          <button type="button" class="button small plain" onClick={() => acts.remove(message)}>
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
