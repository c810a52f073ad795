// All that programs can check of the house, one line each; what failed says why. `npm run check`
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const folders = ['src', 'migrations', 'extension-ui', 'sandbox', 'test', 'scripts', 'bench'].filter((name) =>
  existsSync(name),
);

const checks = [
  ['types', 'tsc', ['--noEmit', '-p', 'tsconfig.json']],
  ['format', 'prettier', ['--check', '--log-level', 'warn', '.']],
  ['lint', 'eslint', ['.', '--max-warnings', '0']],
  [
    'ladder, cycles, dead files',
    'depcruise',
    ['--config', '.dependency-cruiser.cjs', '--output-type', 'err', ...folders],
  ],
  ['dead exports, own rules', 'vitest', ['run', 'test/unit/house.test.ts', '--reporter', 'dot']],
];

let failed = 0;
for (const [name, program, values] of checks) {
  const began = performance.now();
  const { status, stdout, stderr } = spawnSync('npx', ['--no-install', program, ...values], { encoding: 'utf8' });
  const seconds = ((performance.now() - began) / 1_000).toFixed(1);
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`);
  if (status === 0) continue;
  failed += 1;
  console.log(`${stdout}${stderr}`.trim());
}
console.log(`${checks.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
