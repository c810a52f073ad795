// Who it is, at a glance: picture or initials in a colour of their own, with the channel's mark.
import { t } from '../texts.ts';
import { Icon } from './icon.tsx';

export type ProviderName = 'messenger' | 'whatsapp';

const tints = 6;

/** The same person has the same colour everywhere. */
function tintOf(id: string): number {
  let hash = 0;
  for (const letter of id) hash = (hash * 31 + letter.codePointAt(0)!) >>> 0;
  return hash % tints;
}

/** First and last word; one letter for one word; nothing for a number. */
function initials(name: string): string {
  const words = name.split(/[\s,&–]+/u).filter((word) => /\p{L}/u.test(word));
  const letters = [words[0], words.length > 1 ? words.at(-1) : undefined].map((word) =>
    word ? [...word].find((letter) => /\p{L}/u.test(letter)) : undefined,
  );
  return letters.filter(Boolean).join('').toLocaleUpperCase();
}

export interface AvatarProps {
  readonly id: string;
  readonly name: string;
  readonly url?: string | null;
  readonly size: 20 | 24 | 28 | 36 | 40;
  readonly provider?: ProviderName;
}

export function Avatar({ id, name, url, size, provider }: AvatarProps) {
  const letters = initials(name);
  const letterSize = size >= 36 ? 14 : size >= 28 ? 11 : 9;
  return (
    <span class={`avatar a${size} tint-${tintOf(id)}`} aria-hidden="true">
      {url ? (
        <img src={url} alt="" />
      ) : letters ? (
        <span class={`letters l${letterSize}`}>{letters}</span>
      ) : (
        <Icon name="user" size={size >= 36 ? 18 : 14} />
      )}
      {provider && <ChannelMark provider={provider} size={size >= 36 ? 16 : 13} />}
    </span>
  );
}

/** Our own glyphs: a handset and a wave; never without the channel's name in reach. */
export function ChannelMark({ provider, size = 16 }: { provider: ProviderName; size?: number }) {
  return (
    <svg class={`mark ${provider}`} width={size} height={size} viewBox="0 0 16 16" aria-hidden="true">
      <circle cx="8" cy="8" r="8" fill="currentColor" />
      {provider === 'whatsapp' ? (
        <path
          fill="#fff"
          d="M5.6 4.2c.3-.3.8-.3 1 .1l.7 1.3c.2.3.1.6-.1.9l-.5.5c.3.9 1.400 2 2.300 2.300l.5-.5c.3-.2.6-.3.9-.1l1.300.7c.4.2.4.7.1 1-.6.7-1.500 1-2.400.7C7 10.300 5.700 9 4.900 6.600c-.3-.9 0-1.800.7-2.400z"
        />
      ) : (
        <path
          fill="none"
          stroke="#fff"
          stroke-width="1.6"
          stroke-linecap="round"
          stroke-linejoin="round"
          d="M3.800 9.300 6.400 6.600 8.900 8.900 12.200 6.200"
        />
      )}
    </svg>
  );
}

export function providerName(provider: ProviderName): string {
  return t(`provider.${provider}`);
}
