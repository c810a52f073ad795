// The console's server: a start page with links to everything, the customer's phone, and the mail that was sent.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import Router from '@koa/router';
import Koa from 'koa';
import { listen, paramOf } from '../listen.ts';
import { mailRoutes } from './mailbox.ts';
import type { ConsoleOptions } from './options.ts';
import { phoneRoutes } from './phone.ts';
import { startPage } from './start-page.ts';

export interface ConsolePages {
  readonly url: string;
  /** The customer's phone; with a customer, his chats lie open. */
  phoneUrl(customer?: string): string;
  stop(): Promise<void>;
}

const files: Readonly<Record<string, string>> = {
  'phone.html': 'text/html',
  'phone.css': 'text/css',
  'phone.js': 'text/javascript',
};

export async function startConsole(options: ConsoleOptions): Promise<ConsolePages> {
  const router = new Router();
  router.get('/', (ctx) => {
    ctx.type = 'html';
    ctx.body = startPage(options);
  });
  router.get('/phone', async (ctx) => {
    ctx.type = 'html';
    ctx.body = await fileOf('phone.html');
  });
  router.get('/files/:file', async (ctx) => {
    const type = files[paramOf(ctx, 'file')];
    if (!type) return;
    ctx.type = type;
    ctx.body = await fileOf(paramOf(ctx, 'file'));
  });
  mailRoutes(router, options.mail);
  const phone = phoneRoutes(router, options);
  const app = new Koa();
  app.silent = true;
  app.use(router.routes());
  app.use(router.allowedMethods());
  const server = await listen(app, options.port);
  return {
    url: server.url,
    phoneUrl: (customer) => `${server.url}/phone${customer === undefined ? '' : `#/${encodeURIComponent(customer)}`}`,
    async stop() {
      phone.close();
      await server.stop();
    },
  };
}

function fileOf(name: string): Promise<string> {
  return readFile(join(import.meta.dirname, name), 'utf8');
}
