// What a back end leaves of a note's HTML: a few tags, links with http(s) only, attributes normalised. The result differs from what
// was sent, as it does with the real thing.

const kept = new Set(['b', 'i', 'u', 'a', 'ul', 'ol', 'li', 'br', 'p', 'div', 'span']);
const renamed: Readonly<Record<string, string>> = { strong: 'b', em: 'i' };
/** Gone with all that is in them. */
const dropped = /<(script|style|iframe|object|noscript|svg|math|template|textarea|title)\b[\s\S]*?(<\/\1\s*>|$)/gi;

export function sanitise(html: string): string {
  return html
    .replace(/<!--[\s\S]*?(-->|$)/g, '')
    .replace(dropped, '')
    .replace(
      /<(\/?)([a-zA-Z][\w-]*)([^<>]*)>|<|>/g,
      (all, slash: string | undefined, name: string | undefined, rest: string | undefined) => {
        if (name === undefined) return all === '<' ? '&lt;' : '&gt;';
        const tag = renamed[name.toLowerCase()] ?? name.toLowerCase();
        if (!kept.has(tag)) return '';
        if (slash) return `</${tag}>`;
        if (tag === 'br') return '<br />';
        return tag === 'a' ? anchor(rest ?? '') : `<${tag}>`;
      },
    )
    .replace(/&#39;/g, "'")
    .replace(/&#34;|&quot;/g, '"');
}

function anchor(attributes: string): string {
  const href = /\bhref\s*=\s*(?:"([^"]*)"|'([^']*)')/i.exec(attributes);
  const address = href?.[1] ?? href?.[2] ?? '';
  if (!/^(https?:|mailto:)/i.test(address)) return '<a>';
  return `<a href="${address}" target="_blank" rel="noopener">`;
}
