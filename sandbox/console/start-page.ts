// The console's start page: where everything is.
import type { ConsoleOptions } from './options.ts';

export function startPage(options: ConsoleOptions): string {
  const links = [
    [
      options.pipedriveUrl,
      'CRM',
      'The stand-in for Pipedrive: contacts, leads and deals, with the inbox in its window.',
    ],
    [
      `${options.pipedriveUrl}/leads/messaging`,
      'Leads Inbox',
      "Pipedrive's own inbox, as long as its Channels API answers.",
    ],
    [options.appUrl(), 'Inbox', 'The full page of the app, in a tab of its own.'],
    ['/phone', "Customer's phone", 'Write as a customer, on WhatsApp and on Messenger, and see what comes back.'],
    ['/mail', 'Mail', 'What the app has mailed to the users.'],
  ];
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sandbox</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<style>
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: #f3f4f7; color: #1c212b;
    font: 16px/1.5 system-ui, sans-serif }
  main { width: min(560px, 100vw - 40px) } h1 { font-size: 26px; margin: 0 0 4px } p { margin: 0 0 22px; color: #586072 }
  a { display: block; background: #fff; border: 1px solid #e0e4eb; border-radius: 12px; padding: 16px 20px; margin: 0 0 12px;
    color: inherit; text-decoration: none } a:hover, a:focus-visible { border-color: #4a63c4; outline: none;
    box-shadow: 0 0 0 3px #4a63c433 } b { display: block; font-size: 17px } small { color: #586072; font-size: 14px }
</style></head><body><main><h1>Sandbox</h1><p>Everything outside the app, played on this machine.</p>
${links.map(([url, name, what]) => `<a href="${url}"><b>${name}</b><small>${what}</small></a>`).join('\n')}
</main></body></html>`;
}
