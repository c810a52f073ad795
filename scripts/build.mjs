// Builds the server (types removed, one file an entry) and the surfaces into dist/.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

rmSync('dist/parts', { recursive: true, force: true });
await build({
  entryPoints: ['src/main.ts', 'src/cli.ts'].filter((file) => existsSync(file)),
  outdir: 'dist',
  bundle: true,
  // What `main.ts` loads later is a file of its own.
  splitting: true,
  chunkNames: 'parts/[name]-[hash]',
  platform: 'node',
  format: 'esm',
  target: 'node20',
  packages: 'external',
  sourcemap: true,
  logLevel: 'warning',
});

/** What the surfaces are made of, in one hash: they are built again only when it changed. */
function sourcesHash() {
  const hash = createHash('sha256');
  const visit = (path) => {
    if (!existsSync(path)) return;
    if (statSync(path).isDirectory()) for (const name of readdirSync(path).sort()) visit(join(path, name));
    else hash.update(path).update(readFileSync(path));
  };
  for (const root of ['extension-ui', 'locales', 'package-lock.json']) visit(root);
  return hash.digest('hex');
}

const stamp = 'dist/ui/.built-from';
const now = sourcesHash();
const before = existsSync(stamp) ? readFileSync(stamp, 'utf8') : '';
if (existsSync('extension-ui/vite.config.ts') && before !== now) {
  const { build: buildSurfaces } = await import('vite');
  await buildSurfaces({ configFile: 'extension-ui/vite.config.ts', logLevel: 'warn' });
  mkdirSync('dist/ui', { recursive: true });
  writeFileSync(stamp, now);
}
