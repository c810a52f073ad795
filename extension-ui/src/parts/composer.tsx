// Where a reply is written. Enter sends, Shift+Enter breaks; never while an input method is composing.
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { t } from '../texts.ts';
import { Icon } from './icon.tsx';

export interface ComposerProps {
  readonly conversationId: string;
  readonly name: string;
  readonly provider: string;
  readonly channelName: string;
  readonly draft: string;
  readonly maxLength: number;
  readonly narrow: boolean;
  readonly onDraft: (text: string) => void;
  readonly onSend: (text: string) => void;
  readonly onTyping: (typing: boolean) => void;
}

const maxLines = 8;
const lineHeight = 20;

export function Composer({
  conversationId,
  name,
  provider,
  channelName,
  draft,
  maxLength,
  narrow,
  onDraft,
  onSend,
  onTyping,
}: ComposerProps) {
  const area = useRef<HTMLTextAreaElement>(null);
  const [emoji, setEmoji] = useState(false);
  const over = draft.length - maxLength;
  const nearLimit = draft.length >= maxLength * 0.9;
  const canSend = draft.trim() !== '' && over <= 0;
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
    onSend(draft);
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
  return (
    <div class="composer">
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
        onInput={(event) => {
          onDraft(event.currentTarget.value);
          onTyping(event.currentTarget.value !== '');
        }}
        onBlur={() => onTyping(false)}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && !event.shiftKey && !event.isComposing && event.keyCode !== 229) {
            event.preventDefault();
            send();
          }
          if (event.key === 'Escape') area.current?.blur();
        }}
      />
      <div class="tools">
        <button
          type="button"
          class="icon-button"
          aria-label={t('composer.emoji')}
          title={t('composer.emoji')}
          aria-expanded={emoji}
          onClick={() => setEmoji(!emoji)}
        >
          <Icon name="smile" size={18} />
        </button>
        {nearLimit ? (
          <span id="composer-hint" class={over > 0 ? 'counter over' : 'counter'} role={over > 0 ? 'alert' : undefined}>
            {over > 0 ? t('composer.tooLong', { n: over, channel: channelName }) : t('composer.leftOver', { n: -over })}
          </span>
        ) : (
          <span id="composer-hint" class="hint">
            {t('composer.hint')}
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
      {emoji && (
        <div class="emoji-picker" role="group" aria-label={t('composer.emoji')}>
          {[...usualEmoji].map((sign) => (
            <button
              key={sign}
              type="button"
              onClick={() => {
                insert(sign);
                setEmoji(false);
              }}
            >
              {sign}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

const usualEmoji = '😀😄😊🙂😉😍🤗🤔😅😂🙌👏👍👎🙏💪👋🤝☀🔑🏠🔧📷📄📅⏰✅❌❗❓🎉';
