// Process entry: read the settings, start, wait for a signal, stop in reverse order.
import { join } from 'node:path';
import { systemClock } from './base/clock.ts';
import { createLog } from './base/log.ts';
import { createApp } from './app.ts';
import { ConfigError, readConfig, type Config } from './config.ts';

function settings(): Config {
  try {
    return readConfig();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}

const config = settings();
const log = createLog(config.logLevel);

try {
  const app = await createApp({ config, clock: systemClock, log, surfacesFolder: join(import.meta.dirname, 'ui') });
  const port = await app.start();
  log.info({ port, database: app.db.kind }, 'started');
  let stopping = false;
  const stop = (signal: string): void => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'stopping');
    app.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'could not stop cleanly');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
} catch (error) {
  log.fatal({ err: error }, 'could not start');
  process.stderr.write(`Could not start: ${error instanceof Error ? error.message : 'unknown error'}\n`);
  process.exit(1);
}
