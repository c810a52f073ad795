// The run itself: whoever starts the tests, a person or a script, is told by the exit code.
import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
/** Inside the project, where the packages are found; a folder that is not under version control. */
const folder = join(root, 'test-results', `run-${process.pid}`);

beforeEach(() => mkdir(folder, { recursive: true }));
afterEach(() => rm(folder, { recursive: true, force: true }));

test.each([
  ['a failed test', 'expect(1).toBe(2)', 1, '0 passed, 1 failed'],
  ['nothing', 'expect(1).toBe(1)', 0, '1 passed, 0 failed'],
])('a run in which %s failed says so by its exit code and its last line', async (_, body, code, line) => {
  await writeFile(
    join(folder, 'one.test.ts'),
    `import { expect, test } from 'vitest';\ntest('one', () => { ${body}; });\n`,
  );
  const config = {
    root: folder,
    globalSetup: [join(root, 'test/support/global-setup.ts')],
    reporters: [join(root, 'test/support/closing-line.ts')],
  };
  await writeFile(join(folder, 'vitest.config.mjs'), `export default { test: ${JSON.stringify(config)} };\n`);

  const run = await runTests();

  expect(run.output).toContain(line);
  expect(run.code).toBe(code);
});

function runTests(): Promise<{ code: number; output: string }> {
  const program = join(root, 'node_modules/vitest/vitest.mjs');
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [program, 'run'], { cwd: folder }, (_, output, errors) =>
      resolve({ code: child.exitCode ?? -1, output: `${output}${errors}` }),
    );
  });
}
