// The app with its whole web server and database, but nobody working off what comes in: intake alone is measured.
import { createApp } from '../src/app.ts';
import { systemClock } from '../src/base/clock.ts';
import { createLog } from '../src/base/log.ts';
import { readConfig } from '../src/config.ts';

const config = readConfig();
const app = await createApp({ config, clock: systemClock, log: createLog('warn'), surfacesFolder: 'dist/ui' });
app.server.listen(config.port, config.host);
