// The frame of the stand-in's own pages.

export function escapeHtml(value: string): string {
  return value.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

export function page(title: string, body: string, options: { theme?: string; head?: string } = {}): string {
  return `<!doctype html>
<html lang="en" data-theme="${options.theme === 'dark' ? 'dark' : 'light'}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title><link rel="stylesheet" href="/console/crm.css">${options.head ?? ''}</head>
<body>${body}</body></html>`;
}
