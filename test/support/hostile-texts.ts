// Texts that mean harm or try how much is borne (threats-and-invariants.md, 5.4: ), by their numbers.
export const hostileTexts: Readonly<Record<string, string>> = {
  'X-01': '<script>alert(1)</script>',
  'X-02': '<img src=x onerror=alert(1)>',
  'X-03': '<svg/onload=alert(1)>',
  'X-04': '<scr<script>ipt>alert(1)</scr</script>ipt>',
  'X-05': '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
  'X-06': '<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>',
  'X-07': 'javascript:alert(1)',
  'X-08': 'JaVaScRiPt&colon;alert(1) java\tscript:alert(1)',
  'X-09': '[x](javascript:alert(1))',
  'X-10': 'data:text/html;base64,PHNjcmlwdD4=',
  'X-11': 'https://good.example@evil.example/',
  'X-12': 'https://раураl.example',
  'X-13': '</textarea></title></style><script>',
  'X-14': '&lt;script&gt; &amp;lt; &#60;',
  'X-15': `{{constructor.constructor('alert(1)')()}}`,
  'X-16': '${7*7} <%= 7*7 %> #{7*7}',
  'X-17': '--> ]]> <!-- <![CDATA[',
  'X-18': '<a href="https://x" onclick=alert(1)>x</a><form><iframe><base href=//x><meta http-equiv=refresh>',
  'X-19': '\u202egnp.exe\u202c \u2066x\u2069 zero\u200bwidth',
  'X-20': 'id body forms',
  'X-27': 'one\r\ntwo\rthree\u2028four\u2029five',
};

/** Too long for a message of most providers. */
export const hugeTexts: Readonly<Record<string, string>> = {
  'X-21': 'a@'.repeat(500_000),
  'X-22': `http://${'a.'.repeat(50_000)}`,
  'X-23': '('.repeat(50_000) + '*'.repeat(50_000),
  'X-24 marks': `e${'\u0301'.repeat(50_000)}`,
  'X-24 emoji': '👩‍👩‍👧'.repeat(33_000),
  'X-25': 'Räksmörgås på taket, 12 €. '.repeat(7_400),
  'X-26 blank': '   ',
  'X-26 empty': '',
};

/** What no note of ours may hold besides its text; empty when it is harmless. */
export function harmIn(html: string, addresses: string): string[] {
  const tags = html.match(/<[^>]*>?/g) ?? [];
  const isPlain = (tag: string): boolean => /^<\/?(b|i)>$|^<br( \/)?>$|^<\/a>$/.test(tag);
  const isOurs = (tag: string): boolean =>
    tag.startsWith(`<a href="${addresses}`) && /^<a href="[^"<>\s]*"( target="_blank" rel="noopener")?>$/.test(tag);
  return tags.filter((tag) => !isPlain(tag) && !isOurs(tag));
}
