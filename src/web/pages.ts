// The few pages that the server draws itself: what happened at an installation or a Facebook Login, and what to do now.
import { text } from '../base/texts.ts';

export interface Page {
  /** Key of the texts `page.<key>.title` and `page.<key>.body` in `locales/`. */
  readonly key: string;
  readonly values?: Readonly<Record<string, string>>;
  readonly action?: { readonly href: string; readonly key: string };
  /** A button that posts to this very address. */
  readonly form?: { readonly key: string };
}

function escapeHtml(value: string): string {
  return value.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

/** A whole HTML page; its style is allowed by `nonce`. */
export function renderPage(language: string, nonce: string, page: Page): string {
  const say = (part: string): string => escapeHtml(text(language, `page.${page.key}.${part}`, page.values ?? {}));
  const action = page.action
    ? `<p><a class="button" href="${escapeHtml(page.action.href)}">${escapeHtml(text(language, page.action.key))}</a></p>`
    : '';
  const form = page.form
    ? `<form method="post"><p><button class="button" type="submit">${escapeHtml(text(language, `page.${page.form.key}`))}</button></p></form>`
    : '';
  return `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${say('title')}</title>
<style nonce="${nonce}">
:root { color-scheme: light dark; --canvas: #f6f7f8; --card: #fff; --text: #1e2128; --text-2: #555a64; --line: #e4e5e9; --primary: #1f7a3d; }
@media (prefers-color-scheme: dark) { :root { --canvas: #14161b; --card: #1b1d24; --text: #e9eaee; --text-2: #b0b4be; --line: #32353f; --primary: #287a45; } }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--canvas); color: var(--text);
  font: 14px/20px Inter, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { box-sizing: border-box; width: min(440px, 100vw - 32px); padding: 32px; background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
h1 { margin: 0 0 8px; font-size: 20px; line-height: 28px; letter-spacing: -0.015em; }
p { margin: 0; color: var(--text-2); }
p + p, form { margin-top: 24px; }
.button { display: inline-block; padding: 8px 16px; border-radius: 6px; background: var(--primary); color: #fff; font-weight: 500; text-decoration: none;
  font: inherit; font-weight: 500; border: 0; cursor: pointer; }
.button:focus-visible { outline: 2px solid #1d63c9; outline-offset: 2px; }
</style>
</head>
<body><main><h1>${say('title')}</h1><p>${say('body')}</p>${action}${form}</main></body>
</html>
`;
}

/** English or Swedish, by what the browser asks for. */
export function browserLanguage(acceptLanguage: string): 'en' | 'sv' {
  const wanted = acceptLanguage
    .toLowerCase()
    .split(',')
    .map((entry) => entry.trim().slice(0, 2));
  return wanted.find((code): code is 'en' | 'sv' => code === 'en' || code === 'sv') ?? 'en';
}
