// Sentences for people, one file per language in `locales/`.
import en from '../../locales/en.json' with { type: 'json' };
import sv from '../../locales/sv.json' with { type: 'json' };

const languages = new Map(Object.entries({ en, sv }).map(([code, texts]) => [code, new Map(Object.entries(texts))]));

export type Values = Readonly<Record<string, string | number>>;

/** `key` in `language` (English where it lacks it), with `{name}` replaced. A number called `n` picks `key.one` or `key.other`. */
export function text(language: string, key: string, values: Values = {}): string {
  const sentence = find(language, key, values) ?? find('en', key, values) ?? key;
  return sentence.replace(/\{(\w+)\}/g, (all, name: string) =>
    Object.hasOwn(values, name) ? String(values[name]) : all,
  );
}

/** The language we speak that is nearest to a Pipedrive language code such as `sv`, `en` or `pt-BR`. */
export function nearestLanguage(code: string | null | undefined): 'en' | 'sv' {
  return code?.toLowerCase().startsWith('sv') ? 'sv' : 'en';
}

function find(language: string, key: string, values: Values): string | undefined {
  const texts = languages.get(language);
  if (!texts) return undefined;
  if (texts.has(key) || typeof values.n !== 'number') return texts.get(key);
  return texts.get(`${key}.${new Intl.PluralRules(language).select(values.n)}`) ?? texts.get(`${key}.other`);
}
