// The page that shows the mail the app has sent: a list, and each mail as a mail program draws it, light and dark.
import type Router from '@koa/router';
import { paramOf } from '../listen.ts';
import type { CaughtMail, MailSandbox } from '../mail.ts';

export function mailRoutes(router: Router, mail: MailSandbox): void {
  router.get('/mail', (ctx) => {
    ctx.type = 'html';
    ctx.body = page('Mail', list(mail.mails));
  });
  router.get('/mail/:id', (ctx) => {
    const found = mail.mails.find(({ id }) => id === paramOf(ctx, 'id'));
    if (!found) return;
    ctx.type = 'html';
    ctx.body = page(found.subject, one(found));
  });
  router.get('/mail/:id/html', (ctx) => {
    const found = mail.mails.find(({ id }) => id === paramOf(ctx, 'id'));
    if (!found) return;
    ctx.type = 'html';
    // As strict as a mail program: nothing runs, nothing is fetched.
    ctx.set('Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'; sandbox allow-popups");
    ctx.body = found.html;
  });
}

function list(mails: readonly CaughtMail[]): string {
  if (mails.length === 0) return '<p class="none">No mail yet. It comes half a minute after a message.</p>';
  const rows = mails
    .toReversed()
    .map(
      ({ id, to, subject, at }) =>
        `<li><a href="/mail/${id}"><b>${escape(subject)}</b><span>${escape(to.join(', '))}</span><time>${escape(at.slice(11, 16))}</time></a></li>`,
    );
  return `<ul>${rows.join('')}</ul>`;
}

function one(mail: CaughtMail): string {
  const shown = ['from', 'to', 'date', 'message-id', 'list-unsubscribe', 'list-unsubscribe-post', 'auto-submitted'];
  const headers = shown
    .filter((name) => mail.headers[name] !== undefined)
    .map((name) => `<dt>${name}</dt><dd>${escape(mail.headers[name]!)}</dd>`);
  return `<p><a href="/mail">All mail</a></p><dl>${headers.join('')}</dl>
<iframe title="The mail" src="/mail/${mail.id}/html" sandbox="allow-popups"></iframe>
<h2>As text</h2><pre>${escape(mail.text)}</pre>`;
}

function page(title: string, body: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escape(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<style>
  body { margin: 0; background: #f3f4f7; color: #1c212b; font: 15px/1.5 system-ui, sans-serif }
  main { width: min(760px, 100vw - 32px); margin: 32px auto } h1 { font-size: 24px; margin: 0 0 16px } h2 { font-size: 16px }
  ul { list-style: none; margin: 0; padding: 0 } .none { color: #586072 }
  li a { display: grid; grid-template-columns: 1fr auto; gap: 0 16px; padding: 12px 16px; margin: 0 0 8px; background: #fff;
    border: 1px solid #e0e4eb; border-radius: 10px; color: inherit; text-decoration: none }
  li a:hover, li a:focus-visible { border-color: #4a63c4 } li span { color: #586072; grid-row: 2 } time { color: #586072 }
  dl { display: grid; grid-template-columns: auto 1fr; gap: 2px 16px; font-size: 13px; overflow-wrap: anywhere }
  dt { color: #586072 } dd { margin: 0 } iframe { width: 100%; height: 640px; border: 1px solid #e0e4eb; border-radius: 10px;
    background: #fff } pre { white-space: pre-wrap; background: #fff; padding: 16px; border-radius: 10px; border: 1px solid #e0e4eb }
</style></head><body><main><h1>${escape(title)}</h1>${body}</main></body></html>`;
}

function escape(value: string): string {
  return value.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
