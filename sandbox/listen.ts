// A stand-in's HTTP server: listening on the loopback address, reading bodies as they came, and going away at once.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type Koa from 'koa';
import type { Context } from 'koa';

export interface Listening {
  /** Such as `http://127.0.0.1:40123`. */
  url: string;
  /** `host:port`, as MEDIA_EXTRA_HOSTS wants it. */
  host: string;
  port: number;
  stop(): Promise<void>;
}

/** Starts the app on 127.0.0.1; port 0 or none takes any free one. */
export async function listen(app: Koa, port = 0): Promise<Listening> {
  const handle = app.callback();
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const taken = (server.address() as AddressInfo).port;
  return {
    url: `http://127.0.0.1:${taken}`,
    host: `127.0.0.1:${taken}`,
    port: taken,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export class BodyTooLarge extends Error {}

export async function readBody(ctx: Context, limit: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of ctx.req as AsyncIterable<Buffer>) {
    size += part.byteLength;
    if (size > limit) throw new BodyTooLarge();
    parts.push(part);
  }
  return Buffer.concat(parts);
}

export function contentType(ctx: Context): string {
  return (ctx.get('content-type').split(';')[0] ?? '').trim().toLowerCase();
}

/** A part of the path that the route names. */
export function paramOf(ctx: Context, name: string): string {
  return (ctx as unknown as { params: Record<string, string | undefined> }).params[name] ?? '';
}

/** A scalar as text; whatever else a caller put there is no text at all. */
export function scalar(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}

/** One call a stand-in has received, for tests to look at. */
export interface Call {
  at: string;
  method: string;
  path: string;
  query: Record<string, string>;
  body: unknown;
  status: number;
}
