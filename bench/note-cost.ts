// `npm run cost`: what conversations cost a company of its day's tokens at Pipedrive, by the official price of each call that the
// app has made. Time is moved, not waited for. Ends with an error when 1,000 conversations of 8 messages with one link, written
// in two stretches as people write, cost 25,000 tokens or more.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createApp } from '../src/app.ts';
import { systemClock, type Clock } from '../src/base/clock.ts';
import { createLog } from '../src/base/log.ts';
import { readConfig } from '../src/config.ts';
import { installFor } from '../sandbox/demo/rep.ts';
import { startSandbox } from '../sandbox/sandbox.ts';
import { freePort } from './processes.ts';

const { values: chosen } = parseArgs({ options: { conversations: { type: 'string', default: '1000' } } });
const conversations = Number(chosen.conversations);
const bound = 25;
const atOnce = 50;

/** Seconds after which each message is written, and after which of them somebody links the conversation. */
const paces = [
  { name: 'in two stretches', at: [0, 2, 4, 120, 122, 124, 126, 128], linkedAfter: 3 },
  { name: 'all before linking', at: [0, 20, 40, 60, 80, 100, 120, 140], linkedAfter: 8 },
  { name: 'a message every two minutes', at: [0, 120, 240, 360, 480, 600, 720, 840], linkedAfter: 1 },
] as const;

let offset = 0;
const now = (): number => systemClock.now().getTime() + offset;
const clock: Clock = { now: () => new Date(now()), sleep: systemClock.sleep };

const folder = await mkdtemp(join(tmpdir(), 'inbox-cost-'));
const port = await freePort();
const url = `http://127.0.0.1:${port}`;
const sandbox = await startSandbox({ appUrl: url, now });
// How fast we may call is another matter, and so is how many tokens there are.
sandbox.pipedrive.state.burstLimit = 100_000;
const app = await createApp({
  config: readConfig({
    ...sandbox.env(),
    PORT: String(port),
    PUBLIC_URL: url,
    DATABASE_URL: `sqlite:${join(folder, 'inbox.sqlite')}`,
    MEDIA_URL: `file:${join(folder, 'media')}`,
    LOG_LEVEL: 'warn',
  }),
  clock,
  log: createLog('warn'),
  surfacesFolder: 'dist/ui',
});
await app.start();

const company = sandbox.pipedrive.addCompany({ name: 'Nordtak Solar', domain: 'nordtak', dailyTokens: 10_000_000 });
const rep = await installFor(sandbox, sandbox.pipedrive.addUser(company, { name: 'Erik Lund', admin: true }));
const account = sandbox.twilio.addAccount({ name: 'Nordtak' });
const number = '+46700000001';
sandbox.twilio.addSender(account, number, { name: 'WhatsApp Gothenburg' });
const { sid: accountSid, authToken } = account;
await rep.call('POST', '/api/channels/whatsapp', { accountSid, authToken, sender: number });
await settled();

async function settled(): Promise<void> {
  await sandbox.settled();
  await app.worker.idle();
}

/** Moves time on second by second, so that whatever becomes due becomes due in its turn. */
async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    offset += 1_000;
    await settled();
  }
}

type Pace = (typeof paces)[number];

async function talk({ at, linkedAfter }: Pace, first: number, count: number): Promise<void> {
  const people = Array.from({ length: count }, (_, index) => {
    const phone = `+4671${String(first + index).padStart(7, '0')}`;
    const name = `Customer ${first + index}`;
    const { id } = sandbox.pipedrive.addPerson(company, { name, phone });
    return { name, recordId: String(id), writes: sandbox.twilio.customer(phone, { name }).writes };
  });
  let ids: string[] = [];
  for (const [message, second] of at.entries()) {
    await pass(second - (at[message - 1] ?? 0));
    // Every third is the company's.
    if (message % 3 === 2 && ids.length > 0) {
      await Promise.all(
        ids.map((id) =>
          rep.call('POST', `/api/conversations/${id}/messages`, { clientMessageId: `m${message}`, text: 'Yes' }),
        ),
      );
    } else {
      await Promise.all(people.map(({ writes }) => writes(`Message ${message}`, { to: number })));
    }
    await settled();
    if (message !== linkedAfter - 1) continue;
    const { data } = await rep.call<{ data: { id: string; contact: { name: string } }[] }>(
      'GET',
      `/api/conversations?section=all&limit=${count}`,
    );
    const byName = new Map(data.map((row) => [row.contact.name, row.id]));
    ids = people.map(({ name }) => byName.get(name)!);
    await Promise.all(
      people.map(({ recordId }, index) =>
        rep.call('POST', `/api/conversations/${ids[index]}/links`, { type: 'person', recordId }),
      ),
    );
  }
  await pass(70);
}

let exceeded = false;
let made = 0;
for (const pace of paces) {
  const from = sandbox.pipedrive.calls.length;
  for (let done = 0; done < conversations; done += atOnce) {
    const count = Math.min(atOnce, conversations - done);
    await talk(pace, made, count);
    made += count;
  }
  const calls = sandbox.pipedrive.calls.slice(from);
  const byShape = new Map<string, { times: number; tokens: number }>();
  for (const { method, path, cost } of calls) {
    const shape = `${method} ${path.replace(/\/\d+$/, '/…')}`;
    const known = byShape.get(shape) ?? { times: 0, tokens: 0 };
    byShape.set(shape, { times: known.times + 1, tokens: known.tokens + cost });
  }
  const total = calls.reduce((sum, { cost }) => sum + cost, 0);
  console.log(`\n${conversations} conversations of ${pace.at.length} messages with one link, ${pace.name}:`);
  for (const [shape, { times, tokens }] of [...byShape].sort(([, left], [, right]) => right.tokens - left.tokens)) {
    console.log(`  ${shape.padEnd(36)} ${String(times).padStart(6)} calls ${String(tokens).padStart(7)} tokens`);
  }
  console.log(`  ${total} tokens, ${(total / conversations).toFixed(1)} for each conversation`);
  if (pace === paces[0] && total >= bound * conversations) exceeded = true;
}
await app.stop();
await sandbox.stop();
await rm(folder, { recursive: true });
if (exceeded) {
  console.error(`\nmore than ${bound} tokens for each conversation`);
  process.exitCode = 1;
}
