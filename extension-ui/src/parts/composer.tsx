// Where a reply is written: words, files, emoji, saved replies. Never sends while an input method is composing.
import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { SavedReply } from '../../../src/web/contract.ts';
import { t } from '../texts.ts';
import { fileSize } from '../time.ts';
import type { Upload } from '../uploads.ts';
import { useLazy } from '../use-lazy.ts';
import { Icon } from './icon.tsx';
import { FileName } from './media.tsx';

export interface ComposerProps {
  readonly conversationId: string;
  readonly name: string;
  readonly provider: string;
  readonly draft: string;
  readonly maxLength: number;
  readonly enterSends: boolean;
  readonly narrow: boolean;
  readonly uploads: readonly Upload[];
  readonly takesFiles: boolean;
  readonly takesTemplates: boolean;
  /** Null until they are here. */
  readonly savedReplies: readonly SavedReply[] | null;
  readonly recentEmoji: readonly string[];
  readonly onDraft: (text: string) => void;
  readonly onSend: (text: string) => void;
  readonly onTyping: (typing: boolean) => void;
  readonly onFiles: (files: readonly File[]) => void;
  readonly onRemoveFile: (key: string) => void;
  readonly onWantReplies: () => void;
  readonly onManageReplies: () => void;
  readonly onTemplates: () => void;
  readonly onEmoji: (emoji: string) => void;
  /** A saved reply with its names filled in. */
  readonly fill: (text: string) => string;
}

const maxLines = 8;
const lineHeight = 20;
const longestSlash = 40;
const loadEmoji = () => import('./emoji-picker.tsx');

export function Composer(props: ComposerProps) {
  const { conversationId, name, provider, draft, maxLength, enterSends, narrow, uploads, onDraft, onTyping } = props;
  const area = useRef<HTMLTextAreaElement>(null);
  const chooser = useRef<HTMLInputElement>(null);
  const emojiButton = useRef<HTMLButtonElement>(null);
  const [emoji, setEmoji] = useState(false);
  const [browsing, setBrowsing] = useState(false);
  const [dismissed, setDismissed] = useState<string | null>(null);
  const [picked, setPicked] = useState(0);
  const listId = useId();
  const EmojiPicker = useLazy(emoji, loadEmoji);
  const over = draft.length - maxLength;
  const nearLimit = draft.length >= maxLength * 0.9;
  const uploading = uploads.some(({ state }) => state === 'uploading');
  const ready = uploads.some(({ state }) => state === 'ready');
  const canSend = (draft.trim() !== '' || ready) && over <= 0 && !uploading;

  const slash = draft.startsWith('/') && !draft.includes('\n') && draft.length <= longestSlash ? draft.slice(1) : null;
  const wanted = browsing ? '' : slash !== null && draft !== dismissed ? slash : null;
  const found = wanted === null ? [] : matching(props.savedReplies ?? [], wanted);
  const choosing = wanted !== null && (browsing || found.length > 0 || wanted === '');
  useEffect(() => setPicked(0), [wanted]);
  useEffect(() => {
    if (wanted !== null) props.onWantReplies();
    // Asked for once each time the list opens.
  }, [wanted !== null]);

  useLayoutEffect(() => {
    const element = area.current;
    if (!element) return;
    element.style.height = 'auto';
    element.style.height = `${Math.min(element.scrollHeight, maxLines * lineHeight + 4)}px`;
  }, [draft, conversationId]);
  useEffect(() => {
    if (!narrow) area.current?.focus({ preventScroll: true });
  }, [conversationId, narrow]);

  const send = (): void => {
    if (!canSend) return;
    props.onSend(draft);
    onTyping(false);
    area.current?.focus();
  };
  const insert = (text: string): void => {
    const element = area.current;
    const at = element?.selectionStart ?? draft.length;
    onDraft(draft.slice(0, at) + text + draft.slice(element?.selectionEnd ?? at));
    requestAnimationFrame(() => {
      element?.focus();
      element?.setSelectionRange(at + text.length, at + text.length);
    });
  };
  const use = (reply: SavedReply | undefined): void => {
    if (!reply) return;
    const text = props.fill(reply.text);
    setBrowsing(false);
    if (slash === null) insert(draft === '' || /\s$/.test(draft) ? text : ` ${text}`);
    else {
      onDraft(text);
      requestAnimationFrame(() => {
        area.current?.focus();
        area.current?.setSelectionRange(text.length, text.length);
      });
    }
  };
  const closeList = (): void => {
    setBrowsing(false);
    setDismissed(draft);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.isComposing || event.keyCode === 229) return;
    if (choosing) {
      const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
      if (step !== 0 && found.length > 0) {
        event.preventDefault();
        return setPicked((picked + step + found.length) % found.length);
      }
      if ((event.key === 'Enter' || event.key === 'Tab') && found[picked]) {
        event.preventDefault();
        return use(found[picked]);
      }
      if (event.key === 'Escape') {
        event.stopPropagation();
        return closeList();
      }
    }
    if (event.key === 'Enter' && event.shiftKey !== enterSends) {
      event.preventDefault();
      return send();
    }
    if (event.key === 'Escape') {
      event.stopPropagation();
      area.current?.blur();
    }
  };
  return (
    <div class="composer">
      {uploads.length > 0 && (
        <ul class="uploads" aria-label={t('composer.files')}>
          {uploads.map((tile) => (
            <Tile key={tile.key} tile={tile} onRemove={props.onRemoveFile} />
          ))}
        </ul>
      )}
      <label class="sr-only" for="composer">
        {t('composer.label', { name, provider })}
      </label>
      <textarea
        id="composer"
        ref={area}
        rows={1}
        dir="auto"
        value={draft}
        placeholder={t('composer.placeholder', { name: name.split(' ')[0] ?? name })}
        aria-describedby="composer-hint"
        aria-autocomplete="list"
        aria-controls={choosing ? listId : undefined}
        aria-activedescendant={choosing && found[picked] ? `${listId}-${picked}` : undefined}
        onInput={(event) => {
          onDraft(event.currentTarget.value);
          onTyping(event.currentTarget.value !== '');
        }}
        onBlur={() => onTyping(false)}
        onKeyDown={onKeyDown}
        onPaste={(event) => {
          const files = [...(event.clipboardData?.files ?? [])];
          if (files.length === 0 || !props.takesFiles) return;
          event.preventDefault();
          props.onFiles(files);
        }}
      />
      <div class="tools">
        {props.takesFiles && (
          <>
            <button
              type="button"
              class="icon-button"
              aria-label={t('composer.attach')}
              title={t('composer.attach')}
              onClick={() => chooser.current?.click()}
            >
              <Icon name="paperclip" size={18} />
            </button>
            <input
              ref={chooser}
              type="file"
              multiple
              hidden
              tabIndex={-1}
              aria-label={t('composer.attach')}
              onChange={(event) => {
                props.onFiles([...(event.currentTarget.files ?? [])]);
                event.currentTarget.value = '';
                area.current?.focus();
              }}
            />
          </>
        )}
        <button
          ref={emojiButton}
          type="button"
          class="icon-button"
          aria-label={t('composer.emoji')}
          title={t('composer.emoji')}
          aria-expanded={emoji}
          onClick={() => setEmoji(!emoji)}
        >
          <Icon name="smile" size={18} />
        </button>
        <button
          type="button"
          class="icon-button"
          aria-label={t('replies.title')}
          title={t('replies.button')}
          aria-expanded={choosing}
          onClick={() => {
            setBrowsing(!choosing);
            if (choosing) setDismissed(draft);
            area.current?.focus();
          }}
        >
          <Icon name="slash-square" size={18} />
        </button>
        {props.takesTemplates && (
          <button
            type="button"
            class="icon-button"
            aria-label={t('template.title')}
            title={t('template.title')}
            onClick={props.onTemplates}
          >
            <Icon name="layout-template" size={18} />
          </button>
        )}
        {nearLimit ? (
          <span id="composer-hint" class={over > 0 ? 'counter over' : 'counter'} role={over > 0 ? 'alert' : undefined}>
            {over > 0 ? t('composer.tooLong', { n: over, channel: provider }) : t('composer.leftOver', { n: -over })}
          </span>
        ) : (
          <span id="composer-hint" class="hint">
            {uploading ? (
              t('composer.uploading')
            ) : (
              <>
                <span class="short">{t(enterSends ? 'composer.hintShort' : 'composer.hintShortSwapped')}</span>
                <span class="long">{t(enterSends ? 'composer.hint' : 'composer.hintSwapped')}</span>
              </>
            )}
          </span>
        )}
        <button
          type="button"
          class="button primary send"
          disabled={!canSend}
          onClick={send}
          aria-label={t('composer.send')}
        >
          <Icon name="send-horizontal" size={16} />
          <span class="send-word">{t('composer.send')}</span>
        </button>
      </div>
      {choosing && (
        <div class="replies">
          <ul id={listId} role="listbox" aria-label={t('replies.title')}>
            {found.map((reply, index) => (
              <li
                key={reply.id}
                id={`${listId}-${index}`}
                role="option"
                aria-selected={index === picked}
                onPointerDown={(event) => event.preventDefault()}
                onClick={() => use(reply)}
              >
                <b>{reply.name}</b>
                <small dir="auto">{props.fill(reply.text)}</small>
              </li>
            ))}
          </ul>
          <div class="replies-foot">
            <span>
              {props.savedReplies === null
                ? t('replies.loading')
                : props.savedReplies.length === 0
                  ? t('replies.none')
                  : found.length === 0
                    ? t('replies.noMatch')
                    : t('replies.keys')}
            </span>
            <button type="button" class="link-button" onClick={props.onManageReplies}>
              {t('replies.manage')}
            </button>
          </div>
        </div>
      )}
      {emoji && EmojiPicker && (
        <EmojiPicker
          recent={props.recentEmoji}
          onPick={(sign) => {
            insert(sign);
            props.onEmoji(sign);
          }}
          onClose={(giveBack) => {
            setEmoji(false);
            if (giveBack) emojiButton.current?.focus();
          }}
        />
      )}
    </div>
  );
}

/** Those whose name begins with what was typed, then those that hold it anywhere. */
function matching(replies: readonly SavedReply[], typed: string): SavedReply[] {
  const wanted = typed.trim().toLocaleLowerCase();
  const rank = ({ name, text }: SavedReply): number => {
    const lower = name.toLocaleLowerCase();
    if (lower.startsWith(wanted)) return 0;
    if (lower.includes(wanted)) return 1;
    return text.toLocaleLowerCase().includes(wanted) ? 2 : 3;
  };
  return replies
    .filter((reply) => rank(reply) < 3)
    .sort((left, right) => rank(left) - rank(right))
    .slice(0, 50);
}

function Tile({ tile, onRemove }: { tile: Upload; onRemove: (key: string) => void }) {
  return (
    <li class={`upload ${tile.state}`}>
      <span class="tile">
        {tile.preview ? (
          <img src={tile.preview} alt="" />
        ) : (
          <Icon
            name={tile.state === 'refused' ? 'circle-alert' : tile.kind === 'audio' ? 'mic' : 'file-text'}
            size={18}
          />
        )}
      </span>
      <span class="file-text">
        <FileName name={tile.name} />
        {tile.state === 'refused' ? (
          <span class="file-facts bad" role="alert">
            {tile.reason}
          </span>
        ) : (
          <span class="file-facts">{fileSize(tile.size)}</span>
        )}
        {tile.state === 'uploading' && (
          <progress max={1} value={tile.progress} aria-label={t('composer.fileProgress', { file: tile.name })} />
        )}
      </span>
      <button
        type="button"
        class="icon-button"
        aria-label={t('composer.removeFile', { file: tile.name })}
        title={t('composer.removeFile', { file: tile.name })}
        onClick={() => onRemove(tile.key)}
      >
        <Icon name="x" size={16} />
      </button>
    </li>
  );
}
