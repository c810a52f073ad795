// All that programs can check of the house, one line each; what failed says why. `npm run check`
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';

const folders = ['src', 'migrations', 'extension-ui', 'sandbox', 'test', 'scripts', 'bench'].filter((name) =>
  existsSync(name),
);

/** The longest first: two of them run side by side. */
const checks = [
  ['lint', 'eslint', ['.', '--max-warnings', '0']],
  ['types', 'tsc', ['--noEmit', '-p', 'tsconfig.json']],
  ['format', 'prettier', ['--check', '--log-level', 'warn', '.']],
  ['dead exports, own rules', 'vitest', ['run', 'test/unit/house.test.ts', '--reporter', 'dot']],
  [
    'ladder, cycles, dead files',
    'depcruise',
    ['--config', '.dependency-cruiser.cjs', '--output-type', 'err', ...folders],
  ],
];

let failed = 0;
const waiting = [...checks];

/** Takes one check after the other until none is left. */
async function work() {
  for (let check = waiting.shift(); check; check = waiting.shift()) {
    const [name, program, values] = check;
    const began = performance.now();
    const { code, said } = await run(program, values);
    const seconds = ((performance.now() - began) / 1_000).toFixed(1);
    if (code !== 0) failed += 1;
    console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)${code === 0 ? '' : `\n${said.trim()}`}`);
  }
}

function run(program, values) {
  return new Promise((resolve) => {
    const child = spawn('npx', ['--no-install', program, ...values], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (words) => (said += words));
    }
    child.on('error', (error) => resolve({ code: 1, said: String(error) }));
    child.on('close', (code) => resolve({ code, said }));
  });
}

await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, work));
console.log(`${checks.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
