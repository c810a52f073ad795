import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'test/**/*.test.tsx'],
    exclude: ['test/shared/**'],
    globalSetup: ['test/support/global-setup.ts'],
    // A machine that does other things too is slow, and that is no fault of the app's: what fails is looked at again.
    retry: 2,
    testTimeout: 90_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    reporters: ['default', './test/support/closing-line.ts'],
    server: { deps: { inline: ['@pipedrive/app-extensions-sdk'] } },
  },
});
