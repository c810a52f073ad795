// One command to see it all (`npm run demo`, with `-- --port N` for another port): the sandbox, the app as a process of its own pointed at it, and a story already begun.
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { freePort, startAppProcess, type AppProcess } from './demo/app-process.ts';
import { tellStory, type Story } from './demo/story.ts';
import { startSandbox, type Sandbox } from './sandbox.ts';

const root = join(import.meta.dirname, '..');
const say = (text: string) => process.stdout.write(`${text}\n`);

let back = 0;
const parts: { stop(): Promise<void> }[] = [];
let stopping: Promise<void> | undefined;

/** Everything in reverse order, once. */
function stop(): Promise<void> {
  stopping ??= (async () => {
    for (const part of parts.reverse()) await part.stop().catch(() => undefined);
  })();
  return stopping;
}

async function run(): Promise<void> {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '3000' } } });
  const port = await freePort(Number(values.port));
  const url = `http://localhost:${port}`;
  const folder = join(root, '.demo', String(port));
  // What the stand-ins know is gone with them, so the app begins anew as well.
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });

  const sandbox = await startSandbox({ appUrl: url, ports: await ports(), now: () => Date.now() - back });
  parts.push(sandbox);
  const app = await startApp(sandbox, url, port, folder);
  parts.push(app);
  void app.gone.then((code) => {
    if (stopping) return;
    say(
      `\nThe app has ended by itself (${code ?? 'killed'}); its log is ${relative(process.cwd(), join(folder, 'app.log'))}`,
    );
    void stop().then(() => process.exit(1));
  });
  sandbox.pipedrive.leadsInbox.uploadManifest(await manifestFor(url));
  const story = await tellStory(sandbox, ({ hours = 0, minutes = 0 }) => {
    back = (hours * 60 + minutes) * 60_000;
  });
  announce(sandbox, story, relative(process.cwd(), join(folder, 'app.log')));
}

/** The file of `manifest/` as Developer Hub would get it, with the addresses of this app. */
async function manifestFor(url: string): Promise<unknown> {
  const file = await readFile(join(root, 'manifest', 'messaging-manifest.json'), 'utf8');
  const { version, endpoints } = JSON.parse(file) as { version: string; endpoints: Record<string, string> };
  const moved = Object.entries(endpoints).map(([name, address]) => [name, address.replace(/^https?:\/\/[^/]+/, url)]);
  return { version, endpoints: Object.fromEntries(moved) as Record<string, string> };
}

async function ports() {
  const [pipedrive, meta, twilio, twilioMedia, consolePort] = [
    await freePort(4000),
    await freePort(4001),
    await freePort(4002),
    await freePort(4003),
    await freePort(4004),
  ];
  return { pipedrive, meta, twilio, twilioMedia, console: consolePort };
}

function startApp(sandbox: Sandbox, url: string, port: number, folder: string): Promise<AppProcess> {
  return startAppProcess({
    entry: join(root, 'dist', 'main.js'),
    url,
    logFile: join(folder, 'app.log'),
    env: {
      ...sandbox.env(),
      PORT: String(port),
      DATABASE_URL: `sqlite:${join(folder, 'inbox.sqlite')}`,
      MEDIA_URL: `file:${join(folder, 'media')}`,
      // Notes are gathered more briefly than usual: somebody is waiting to see them.
      NOTE_DEBOUNCE_MS: '1000',
      NOTE_MAX_WAIT_MS: '5000',
      LOG_LEVEL: 'info',
    },
  });
}

function announce(sandbox: Sandbox, story: Story, logFile: string): void {
  const as = (id: number, path = '/') => `${sandbox.pipedrive.url}${path}?user=${id}`;
  say(`
The demo is running. Nordtak Solar sells roofs; its customers write on WhatsApp and Messenger.

  Be a rep       ${as(story.erik.user.id, `/deal/${story.dealId}`)}
                 Erik's deal in the CRM, with its note; the inbox opens from the top bar
                 ${as(story.sara.user.id)}
                 the same as Sara, in Swedish
  Full page      ${sandbox.appUrl()}/
  Leads Inbox    ${as(story.erik.user.id, '/leads/messaging')}
                 the same conversations through the Channels API, which can be switched off there
  Be a customer  ${sandbox.console.phoneUrl()}
  All of it      ${sandbox.console.url}/

  The app's log is ${logFile}. Ctrl-C ends everything.
`);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (!stopping) say('\nStopping…');
    void stop().then(() => process.exit(0));
  });
}

run().catch(async (error: unknown) => {
  if (stopping) return;
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  await stop();
  process.exit(1);
});
