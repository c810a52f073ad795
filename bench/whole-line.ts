// The whole line in one process: webhook, conversation, message, change, event on an open stream, at a steady rate.
import { createHmac } from 'node:crypto';
import { get } from 'node:http';
import { Pool } from 'undici';
import { connectNumber, startCompany, type CompanyOptions } from './company.ts';

export interface WholeLineOptions extends CompanyOptions {
  readonly perSecond: number;
  readonly seconds: number;
  /** Messages that stand in the database, to hold against what was acknowledged. */
  readonly count: () => Promise<number>;
  /** Processor time that a database server has used, in seconds. */
  readonly databaseCpu: () => number;
}

const contacts = 400;

/** Prints what was sustained. Throws when something was refused or is missing. */
export async function measureWholeLine(options: WholeLineOptions): Promise<void> {
  const here = await startCompany(options);
  const { sandbox } = here;
  const server = here.server();
  try {
    const idle = server.memory();
    const rep = await here.rep('Erik Lund', true);
    const number = '+46700000001';
    const { account } = await connectNumber(sandbox, rep, number);
    const { token } = await session(server.url, sandbox.pipedrive.signedToken(rep.user));
    const total = options.perSecond * options.seconds;
    // Made beforehand: two cores serve the app, its database and these senders alike.
    const webhooks = Array.from({ length: total }, (_, index) =>
      webhook(server.url, account, `whatsapp:${number}`, index),
    );
    const pool = new Pool(server.url, { connections: 64 });
    const stream = watch(server.url, token);

    const sentAt: number[] = [];
    const inFlight: Promise<void>[] = [];
    let refused = 0;
    const begun = performance.now();
    const [cpuBefore, databaseBefore] = [server.cpu(), options.databaseCpu()];
    for (let index = 0; index < total; index += 1) {
      const due = begun + (index * 1_000) / options.perSecond;
      const early = due - performance.now();
      if (early > 1) await new Promise((resolve) => setTimeout(resolve, early));
      sentAt.push(performance.now());
      inFlight.push(
        send(pool, webhooks[index]!).then((status) => {
          if (status !== 200) refused += 1;
        }),
      );
    }
    await Promise.all(inFlight);
    const acknowledgedAfter = (performance.now() - begun) / 1_000;
    const { seen } = stream;
    const end = performance.now() + 60_000;
    while (seen.size < total && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
    const doneAfter = (performance.now() - begun) / 1_000;
    stream.close();
    await pool.close();
    const waits = [...seen].map(([index, at]) => at - sentAt[index]!).sort((left, right) => left - right);
    const at = (share: number): number =>
      Math.round(waits[Math.min(waits.length - 1, Math.floor(waits.length * share))]!);
    const stored = await options.count();
    console.log(
      `${total} messages of ${contacts} contacts sent at ${options.perSecond}/s: acknowledged in ${acknowledgedAfter.toFixed(1)} s, ` +
        `all on the stream after ${doneAfter.toFixed(1)} s = ${Math.round(total / doneAfter)}/s`,
    );
    console.log(`webhook to event   p50 ${at(0.5)} ms   p95 ${at(0.95)} ms   p99 ${at(0.99)} ms   worst ${at(1)} ms`);
    const each = (seconds: number): string => ((seconds / total) * 1_000).toFixed(2);
    console.log(
      `CPU         ${each(server.cpu() - cpuBefore)} ms of the app, ` +
        `${each(options.databaseCpu() - databaseBefore)} ms of a database server for a message`,
    );
    console.log(`memory      ${idle} MB idle, ${server.memory()} MB after the load`);
    // The senders may lag a little behind on a machine that does all of it at once.
    const sustained = total / acknowledgedAfter;
    if (sustained < options.perSecond * 0.97 || doneAfter - acknowledgedAfter > 5) {
      throw new Error(
        `${Math.round(sustained)}/s taken, all of it done ${(doneAfter - acknowledgedAfter).toFixed(1)} s later`,
      );
    }
    if (refused > 0 || seen.size !== total || stored !== total) {
      throw new Error(`${refused} refused, ${seen.size} of ${total} seen, ${stored} stored`);
    }
  } finally {
    await here.stop();
  }
}

async function session(url: string, signedToken: string): Promise<{ token: string }> {
  const answer = await fetch(`${url}/api/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token: signedToken }),
  });
  return (await answer.json()) as { token: string };
}

interface Webhook {
  readonly signature: string;
  readonly body: string;
}

function webhook(
  url: string,
  account: { readonly sid: string; readonly authToken: string },
  to: string,
  number: number,
): Webhook {
  const contact = String(46_710_000_000 + (number % contacts));
  const params: Record<string, string> = {
    MessageSid: `SM${number.toString(16).padStart(32, '0')}`,
    AccountSid: account.sid,
    From: `whatsapp:+${contact}`,
    To: to,
    Body: `bench ${number}`,
    NumMedia: '0',
    ProfileName: `Customer ${number % contacts}`,
    WaId: contact,
    MessageType: 'text',
    SmsStatus: 'received',
    ApiVersion: '2010-04-01',
  };
  const signed = Object.keys(params)
    .sort()
    .reduce((all, name) => all + name + params[name], `${url}/webhooks/twilio`);
  return {
    signature: createHmac('sha1', account.authToken).update(signed).digest('base64'),
    body: new URLSearchParams(params).toString(),
  };
}

async function send(pool: Pool, { signature, body }: Webhook): Promise<number> {
  const answer = await pool.request({
    method: 'POST',
    path: '/webhooks/twilio',
    headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-twilio-signature': signature },
    body,
  });
  await answer.body.dump();
  return answer.statusCode;
}

/** When each message was first told on an open stream. Looks for no more than its text: it must take little of the machine. */
function watch(url: string, token: string): { readonly seen: ReadonlyMap<number, number>; close(): void } {
  const seen = new Map<number, number>();
  let rest = '';
  const request = get(`${url}/api/events`, { headers: { authorization: `Bearer ${token}` } }, (answer) => {
    answer.setEncoding('utf8');
    answer.on('data', (part: string) => {
      const end = part.lastIndexOf('\n\n');
      const blocks = end < 0 ? '' : rest + part.slice(0, end + 2);
      rest = end < 0 ? rest + part : part.slice(end + 2);
      for (const [, number] of blocks.matchAll(/\nevent: message\.changed\ndata: .*?"text":"bench (\d+)"/g)) {
        if (!seen.has(Number(number))) seen.set(Number(number), performance.now());
      }
    });
  });
  request.on('error', () => undefined);
  return { seen, close: () => void request.destroy() };
}
