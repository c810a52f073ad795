// The text of a message: text stays text; only sound web addresses become links.
import type { ComponentChildren } from 'preact';

const address = /https?:\/\/[^\s<>"']+[^\s<>"'.,:;!?)\]]/g;

export function Words({ text }: { text: string }) {
  const parts: ComponentChildren[] = [];
  let at = 0;
  for (const found of text.matchAll(address)) {
    parts.push(text.slice(at, found.index));
    at = found.index + found[0].length;
    const url = URL.canParse(found[0]) ? new URL(found[0]) : undefined;
    parts.push(
      url ? (
        <a href={url.href} target="_blank" rel="noreferrer noopener">
          {/* Letters that only look like others show as what they are. */}
          {/[^\u0000-\u007f]/.test(found[0].split('/')[2] ?? '') ? url.href : found[0]}
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
