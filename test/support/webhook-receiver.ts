// A small HTTP server that plays the app towards a stand-in: it keeps every request as it came and answers as told.
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  raw: Buffer;
  form: Record<string, string>;
}

export interface WebhookReceiver {
  url: string;
  received: Received[];
  /** Answers of the next requests, then 200 again. */
  answers: number[];
  /** What is served to a GET of this path, such as an outbound attachment. */
  files: Map<string, { contentType: string; bytes: Buffer }>;
  stop(): Promise<void>;
}

export async function startReceiver(): Promise<WebhookReceiver> {
  const received: Received[] = [];
  const answers: number[] = [];
  const files: WebhookReceiver['files'] = new Map();
  const server = createServer((request, response) => {
    const file = files.get(request.url ?? '');
    if (request.method === 'GET' && file) {
      response.writeHead(200, { 'content-type': file.contentType, 'content-length': file.bytes.length });
      response.end(file.bytes);
      return;
    }
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const raw = Buffer.concat(parts);
      received.push({
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.headers,
        raw,
        form: Object.fromEntries(new URLSearchParams(raw.toString('utf8'))),
      });
      response.writeHead(answers.shift() ?? 200, { 'content-type': 'text/xml' });
      response.end('<Response/>');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    answers,
    files,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Waits for a condition, not for time; says what was awaited when it does not come. */
export async function until(what: string, condition: () => boolean, ms = 5_000): Promise<void> {
  const end = Date.now() + ms;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`Waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
