// Sentences of the surface's language; loaded once, before the first paint with data.

export type Texts = Readonly<Record<string, string>>;
export type Values = Readonly<Record<string, string | number>>;
export type LanguageCode = 'en' | 'sv';

let language: LanguageCode = 'en';
let texts: Texts = {};

export async function loadTexts(wanted: LanguageCode): Promise<void> {
  const file = wanted === 'sv' ? await import('../../locales/sv.json') : await import('../../locales/en.json');
  useTexts(wanted, file.default);
  document.documentElement.lang = wanted;
}

function useTexts(code: LanguageCode, file: Texts): void {
  language = code;
  texts = file;
}

/** The locale for numbers and dates. */
export function locale(): string {
  return language === 'sv' ? 'sv-SE' : 'en-GB';
}

/** The sentence for a key, with `{name}` replaced; a number called `n` picks `.one` or `.other`. */
export function t(key: string, values: Values = {}): string {
  const plural =
    typeof values.n === 'number' ? texts[`${key}.${new Intl.PluralRules(language).select(values.n)}`] : undefined;
  const sentence = plural ?? texts[key] ?? texts[`${key}.other`] ?? key;
  return sentence.replace(/\{(\w+)\}/g, (all, name: string) => (name in values ? String(values[name]) : all));
}
