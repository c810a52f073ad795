// Builds the surfaces to dist/ui: an HTML entry each, hashed assets beside them.
import { resolve } from 'node:path';
import preact from '@preact/preset-vite';
import { build } from 'esbuild';
import { defineConfig, type Plugin } from 'vite';

const root = import.meta.dirname;
const pages = ['window', 'panel', 'modal', 'settings', 'page'].map((name): [string, string] => [
  name,
  resolve(root, `${name}.html`),
]);
const worker: [string, string] = ['service-worker', resolve(root, 'src/service-worker.ts')];

/** Puts `early.ts` into the page that names it: a file of its own would come as late as the rest. */
const early: Plugin = {
  name: 'early',
  transformIndexHtml: async (html) => {
    if (!html.includes('<!--early-->')) return html;
    const { outputFiles } = await build({
      entryPoints: [resolve(root, 'src/early.ts')],
      bundle: true,
      minify: true,
      format: 'iife',
      target: 'es2022',
      write: false,
    });
    return html.replace('<!--early-->', () => `<script nonce="__NONCE__">${outputFiles[0]!.text.trim()}</script>`);
  },
};

export default defineConfig({
  root,
  base: '/ui/',
  plugins: [preact(), early],
  build: {
    outDir: resolve(root, '../dist/ui'),
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: Object.fromEntries([...pages, worker]),
      output: {
        // A service worker is known by its address: it has no hash, and the server serves it from the root.
        entryFileNames: ({ name }) => (name === 'service-worker' ? '[name].js' : 'assets/[name]-[hash].js'),
      },
    },
  },
});
