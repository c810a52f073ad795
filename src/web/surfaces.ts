// Serves the surfaces that Vite built: an HTML entry each, with language, theme and nonce filled in, and their hashed assets.
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { Context } from 'koa';

export type SurfaceName = 'window' | 'panel' | 'modal' | 'settings' | 'page';

export interface Surfaces {
  show(ctx: Context, name: SurfaceName, language: string): Promise<void>;
  asset(ctx: Context, file: string): Promise<void>;
  /** From the root, so that it may look after the whole page; asked for anew each time, as its name has no hash. */
  serviceWorker(ctx: Context): Promise<void>;
}

const types: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
  '.png': 'image/png',
  '.json': 'application/json',
};

export function createSurfaces(folder: string): Surfaces {
  const entries = new Map<string, Promise<string>>();
  const assets = new Map<string, Promise<Buffer | undefined>>();
  let names: Promise<readonly string[]> | undefined;
  /** The sentences of a language come with the page's script, not after it. */
  const withTexts = async (html: string, language: string): Promise<string> => {
    names ??= readdir(join(folder, 'assets')).catch(() => []);
    const texts = (await names).find((name) => name.startsWith(`${language}-`) && name.endsWith('.js'));
    return texts
      ? html.replace('</head>', `<link rel="modulepreload" crossorigin href="/ui/assets/${texts}"></head>`)
      : html;
  };
  return {
    show: async (ctx, name, language) => {
      let entry = entries.get(name);
      if (!entry) {
        entry = readFile(join(folder, `${name}.html`), 'utf8');
        entries.set(name, entry);
        entry.catch(() => entries.delete(name));
      }
      const theme = ctx.query.theme === 'dark' ? 'dark' : 'light';
      const { nonce = '' } = ctx.state as { nonce?: string };
      ctx.type = 'text/html; charset=utf-8';
      ctx.set('Cache-Control', 'no-store');
      ctx.body = (await withTexts(await entry, language))
        .replaceAll('__LANG__', language)
        .replaceAll('__THEME__', theme)
        .replaceAll('__NONCE__', nonce);
    },
    serviceWorker: async (ctx) => {
      ctx.set('Cache-Control', 'no-cache');
      ctx.type = 'text/javascript; charset=utf-8';
      ctx.body = await readFile(join(folder, 'service-worker.js'));
    },
    asset: async (ctx, file) => {
      const type = types[extname(file)];
      // Built names only: letters, digits, dash, underscore and dots between them.
      if (!type || !/^[\w-]+(\.[\w-]+)+$/.test(file)) return void (ctx.status = 404);
      let bytes = assets.get(file);
      if (!bytes) {
        bytes = readFile(join(folder, 'assets', file)).catch(() => undefined);
        if (assets.size < 500) assets.set(file, bytes);
      }
      const found = await bytes;
      if (!found) {
        assets.delete(file);
        return void (ctx.status = 404);
      }
      ctx.set('Cache-Control', 'public, max-age=31536000, immutable');
      ctx.type = type;
      ctx.body = found;
    },
  };
}
