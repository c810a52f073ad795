// All emoji, found by their names in the user's language. Loaded when it is opened; the names come from our own server.
// Drawn here, since ready pickers bring style elements of their own, which our content security policy does not let in.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { t } from '../texts.ts';
import './emoji-picker.css';

interface Emoji {
  readonly emoji: string;
  readonly annotation: string;
  readonly tags?: readonly string[];
  readonly group: number;
}

/** The groups of Unicode, as emojibase numbers them, each with a sign that stands for it; 2 holds parts, no emoji. */
const groups = [
  [0, '😀'],
  [1, '👋'],
  [3, '🐻'],
  [4, '🍎'],
  [5, '🚗'],
  [6, '⚽'],
  [7, '💡'],
  [8, '❤️'],
  [9, '🏳️'],
] as const;
const columns = 8;
const mostFound = 64;

async function loadNames(): Promise<readonly Emoji[]> {
  const file =
    document.documentElement.lang === 'sv'
      ? await import('emoji-picker-element-data/sv/emojibase/data.json')
      : await import('emoji-picker-element-data/en/emojibase/data.json');
  return file.default;
}

export default function EmojiPicker({
  recent,
  onPick,
  onClose,
}: {
  recent: readonly string[];
  onPick: (emoji: string) => void;
  onClose: (giveBack: boolean) => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  const [all, setAll] = useState<readonly Emoji[]>([]);
  const [failed, setFailed] = useState(false);
  const [query, setQuery] = useState('');
  const [group, setGroup] = useState<number>(groups[0][0]);
  useEffect(() => {
    loadNames()
      .then(setAll)
      .catch(() => setFailed(true));
    box.current?.querySelector('input')?.focus();
    const outside = (event: Event): void => {
      const target = event.target as HTMLElement;
      if (!box.current?.contains(target) && !target.closest('[aria-expanded=true]')) onClose(false);
    };
    addEventListener('pointerdown', outside);
    return () => removeEventListener('pointerdown', outside);
    // Opened once, closed once.
  }, []);
  const shown = useMemo(() => {
    const wanted = query.trim().toLocaleLowerCase();
    if (wanted === '') return all.filter((emoji) => emoji.group === group);
    const starts = (word: string): boolean => word.toLocaleLowerCase().startsWith(wanted);
    return all
      .filter(({ annotation, tags }) => annotation.split(' ').some(starts) || (tags ?? []).some(starts))
      .slice(0, mostFound);
  }, [all, query, group]);
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === 'Escape') {
      event.stopPropagation();
      event.preventDefault();
      return onClose(true);
    }
    const signs = [...(box.current?.querySelectorAll<HTMLElement>('.emoji-grid button') ?? [])];
    const at = signs.indexOf(document.activeElement as HTMLElement);
    const inField = document.activeElement instanceof HTMLInputElement;
    if (inField && event.key === 'Enter') {
      event.preventDefault();
      return signs[0]?.click();
    }
    if (at < 0 && !(inField && event.key === 'ArrowDown')) return;
    const to = inField
      ? 0
      : { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + columns, ArrowUp: at - columns }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    if (to < 0) box.current?.querySelector('input')?.focus();
    else signs[Math.min(signs.length - 1, to)]?.focus();
  };
  const sign = (emoji: string, name: string) => (
    <button key={emoji} type="button" title={name} aria-label={name} onClick={() => onPick(emoji)}>
      {emoji}
    </button>
  );
  return (
    <div ref={box} class="emoji-picker" role="dialog" aria-label={t('composer.emoji')} onKeyDown={onKey}>
      <input
        type="search"
        value={query}
        placeholder={t('emoji.search')}
        aria-label={t('emoji.search')}
        onInput={(event) => setQuery(event.currentTarget.value)}
      />
      {query === '' && (
        <div class="emoji-groups" role="group" aria-label={t('emoji.groups')}>
          {groups.map(([number, face]) => (
            <button
              key={number}
              type="button"
              aria-pressed={number === group}
              aria-label={t(`emoji.group.${number}`)}
              title={t(`emoji.group.${number}`)}
              onClick={() => setGroup(number)}
            >
              {face}
            </button>
          ))}
        </div>
      )}
      <div class="emoji-scroll">
        {query === '' && group === 0 && recent.length > 0 && (
          <>
            <p>{t('emoji.recent')}</p>
            <div class="emoji-grid">
              {recent.map((emoji) => sign(emoji, all.find((found) => found.emoji === emoji)?.annotation ?? emoji))}
            </div>
          </>
        )}
        {query === '' && <p>{t(`emoji.group.${group}`)}</p>}
        <div class="emoji-grid">{shown.map(({ emoji, annotation }) => sign(emoji, annotation))}</div>
        {failed && <p role="alert">{t('emoji.failed')}</p>}
        {query !== '' && all.length > 0 && shown.length === 0 && <p role="status">{t('emoji.none')}</p>}
      </div>
    </div>
  );
}
