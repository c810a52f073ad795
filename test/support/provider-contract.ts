// What every provider must be able to do, as one battery: a new provider is one more subject, a new sample one more entry of its fixtures.
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UpstreamError, type UpstreamKind } from '../../src/base/errors.ts';
import { createHttp, type HttpDoor, type Send } from '../../src/base/http.ts';
import type {
  ChannelAccess,
  InboundEvent,
  OutboundMessage,
  Provider,
  WebhookRequest,
} from '../../src/channels/provider.ts';

/** A webhook before it is signed. */
export interface Sample {
  readonly pathAndQuery: string;
  readonly body: string;
  /** Words of `wordOf` for what it holds, where they are to stay: `message:text`, `echo:own_app`, `status:read`. */
  readonly expects?: readonly string[];
}

/** What a vendor answers to a send, and what that asks of us. `reason` names a sentence of ours. */
export interface Failure {
  readonly kind: UpstreamKind;
  readonly reason?: string;
  readonly answer: {
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: unknown;
    /** In place of JSON. */
    readonly body_text?: string;
  };
}

/** What reached the vendor. */
export interface Sent {
  readonly url: string;
  readonly body: string;
}

export interface Subject {
  /** The provider, pointed at a vendor at this address. */
  readonly create: (send: Send, vendorUrl: string) => Provider;
  readonly channel: ChannelAccess;
  readonly sign: (sample: Sample) => WebhookRequest;
  readonly samples: Readonly<Record<string, Sample>>;
  /** Genuine messages of a kind that nobody knows. */
  readonly unknown: readonly Sample[];
  /** The vendor's answer to a send it takes; `id` is what it calls the message. */
  readonly accepted: { readonly status: number; readonly body: object; readonly id: string };
  /** How the vendor reports a message of ours back: the echo of it, or what became of it. */
  readonly report: (sent: Sent) => Sample;
  readonly failures: Readonly<Record<string, Failure>>;
}

const reply: OutboundMessage = {
  messageId: '01990000-0000-7000-8000-000000000001',
  to: 'somebody',
  text: 'Yes, on Thursday.',
  attachment: null,
  template: null,
  replyToProviderId: null,
  windowOpenedAt: '2026-11-20T10:00:00.000Z',
  now: '2026-11-20T11:00:00.000Z',
};

export function providerContract(name: string, subject: Subject): void {
  describe(`the provider ${name}`, () => {
    let vendor: Vendor;
    let http: HttpDoor;
    let provider: Provider;

    beforeAll(async () => {
      vendor = await startVendor();
      http = createHttp();
      provider = subject.create(http.send, vendor.url);
    });
    afterAll(async () => {
      await http.close();
      await vendor.stop();
    });
    const isGenuine = (request: WebhookRequest): boolean => provider.verify(request, subject.channel.credentials);
    const send = () => provider.send(subject.channel, reply);

    test.each(Object.keys(subject.samples))('takes the sample %s, and refuses it when a byte was changed', (key) => {
      const request = subject.sign(subject.samples[key]!);
      const { body } = request;

      expect(isGenuine(request)).toBe(true);
      for (const at of [0, Math.floor(body.length / 2), body.length - 1]) {
        const changed = Buffer.from(body);
        changed[at] = changed[at]! ^ 1;
        expect(isGenuine({ ...request, body: changed }), `byte ${at}`).toBe(false);
      }
      expect(isGenuine({ ...request, body: body.subarray(1) })).toBe(false);
      expect(isGenuine({ ...request, headers: {} })).toBe(false);
    });

    test.each(Object.entries(subject.samples))('understands the sample %s', (_, sample) => {
      const events = provider.parse(subject.sign(sample));

      expect(events.length).toBeGreaterThan(0);
      for (const event of events) requireSound(event);
      if (sample.expects) expect(events.map(wordOf)).toEqual(sample.expects);
    });

    test('shows a message of a kind that nobody knows as unsupported, with the event kept, rather than not at all', () => {
      expect(subject.unknown.length).toBeGreaterThan(0);
      for (const sample of subject.unknown) {
        const [event, ...rest] = provider.parse(subject.sign(sample));

        expect(rest).toEqual([]);
        expect(event).toMatchObject({ type: 'message', kind: 'unsupported' });
        expect((event as { raw: string }).raw.length).toBeGreaterThan(10);
      }
    });

    test.each([
      ['nothing', ''],
      ['no format', '\u0000\ufffd{"'],
      ['another format', '[]'],
      ['depth', '['.repeat(50_000)],
    ])('reads %s without throwing, and makes no message of it', (_, body) => {
      const { pathAndQuery } = Object.values(subject.samples)[0]!;

      const events = provider.parse({ pathAndQuery, body: Buffer.from(body) });

      expect(events.filter(({ type }) => type === 'message')).toEqual([]);
      // What is kept of it is a webhook that a newer version may read (I-06).
      for (const event of events.filter(({ type }) => type === 'unreadable')) {
        const { raw } = event as { raw: string };
        const again = provider.parse({ pathAndQuery, body: Buffer.from(raw) });
        expect(again.map(({ type }) => type)).toEqual(['unreadable']);
      }
    });

    test('knows a report of its own message: it names the message we sent', async () => {
      vendor.answers.push({ status: subject.accepted.status, body: subject.accepted.body });
      const accepted = await send();

      const [event] = provider.parse(subject.sign(subject.report(vendor.received.at(-1)!)));

      expect(accepted.providerMessageId).toBe(subject.accepted.id);
      expect(ourIdIn(event!)).toBe(reply.messageId);
    });

    test.each(Object.entries(subject.failures))(
      'answers the failure %s as it asks to be answered',
      async (_, failure) => {
        const { status, headers, body, body_text: text } = failure.answer;
        vendor.answers.push({ status, headers, ...(text === undefined ? { body } : { text }) });

        const error = await send().catch((thrown: unknown) => thrown);

        expect(error).toBeInstanceOf(UpstreamError);
        expect(error).toMatchObject({ kind: failure.kind, ...(failure.reason ? { reason: failure.reason } : {}) });
        // Where every word of ours is in a log: none of the vendor's own, which may quote the customer.
        const vendorWords = JSON.stringify(body ?? text);
        expect(vendorWords.length < 30 || !String((error as Error).message).includes(vendorWords)).toBe(true);
      },
    );

    test('does not repeat by itself what may have been done: an answer that never came is unknown (R-03)', async () => {
      vendor.answers.push('drop');

      await expect(send()).rejects.toMatchObject({ kind: 'unknown' });
    });

    test('an accepting answer that is no answer leaves the outcome unknown (V-01, V-02, V-03)', async () => {
      for (const text of ['<html>Welcome</html>', '', '{"message_id":', '{}']) {
        vendor.answers.push({ status: subject.accepted.status, text });

        await expect(send(), text).rejects.toMatchObject({ kind: 'unknown' });
      }
    });

    test('what certainly never left may be tried again (R-03)', async () => {
      const gone = await startVendor();
      await gone.stop();

      await expect(subject.create(http.send, gone.url).send(subject.channel, reply)).rejects.toMatchObject({
        kind: 'retry',
      });
    });
  });
}

/** Enough to be stored and shown; nothing is lost without a word. */
function requireSound(event: InboundEvent): void {
  expect(event.type, JSON.stringify(event)).not.toBe('unreadable');
  if (event.type !== 'message') return;
  expect(event.providerMessageId).not.toBe('');
  expect(event.contact.address).not.toBe('');
  expect(event.contact.identities.length).toBeGreaterThan(0);
  expect(JSON.parse(event.raw)).toBeTypeOf('object');
  if (event.kind === 'text') expect(event.text).not.toBe('');
}

function wordOf(event: InboundEvent): string {
  switch (event.type) {
    case 'message':
      return event.echo ? `echo:${event.echo.source}` : `message:${event.kind}`;
    case 'status':
      return `status:${event.status}`;
    default:
      return event.type;
  }
}

function ourIdIn(event: InboundEvent): string | null | undefined {
  if (event.type === 'status') return event.messageId;
  return event.type === 'message' ? event.echo?.messageId : undefined;
}

type Answer = 'drop' | { status: number; headers?: Readonly<Record<string, string>>; body?: unknown; text?: string };

interface Vendor {
  readonly url: string;
  readonly answers: Answer[];
  readonly received: Sent[];
  stop(): Promise<void>;
}

/** A vendor that answers exactly as told, once each. */
async function startVendor(): Promise<Vendor> {
  const answers: Answer[] = [];
  const received: Sent[] = [];
  const server: Server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      received.push({ url: request.url ?? '', body });
      const answer = answers.shift();
      if (answer === undefined || answer === 'drop') return void request.socket.destroy();
      const text = answer.text ?? JSON.stringify(answer.body);
      response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers }).end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answers,
    received,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}
