// Events over fetch, because a frame must send a header. Resumes from the last number, with a growing pause between tries.
import type { Events } from '../../src/web/contract.ts';

export type StreamEvent = { [Name in keyof Events]: { name: Name; data: Events[Name] } }[keyof Events];

export interface StreamOptions {
  /** `anew`: those of the last try were refused. */
  readonly headers: (anew: boolean) => Promise<Record<string, string>>;
  readonly from: number;
  readonly onEvent: (event: StreamEvent) => void;
  /** Connected, or the moment of the next try. */
  readonly onState: (state: { connected: true } | { connected: false; nextTryAt: number }) => void;
}

export interface ParsedBlock {
  readonly id: number | null;
  readonly event: string | null;
  readonly data: string;
}

/** Splits what has arrived into whole blocks and the rest (Server-sent events, WHATWG). */
function splitBlocks(text: string): { blocks: ParsedBlock[]; rest: string } {
  const parts = text.replace(/\r\n?/g, '\n').split('\n\n');
  const rest = parts.pop() ?? '';
  return { blocks: parts.map(parseBlock), rest };
}

function parseBlock(block: string): ParsedBlock {
  let id: number | null = null;
  let event: string | null = null;
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1).replace(/^ /, '');
    if (name === 'id' && /^\d+$/.test(value)) id = Number(value);
    else if (name === 'event') event = value;
    else if (name === 'data') data.push(value);
  }
  return { id, event, data: data.join('\n') };
}

const pausesMs = [500, 1_000, 2_000, 4_000, 8_000, 15_000];
/** The server says something at least this often. */
const silenceMs = 40_000;

export function openStream(options: StreamOptions): { close: () => void; retryNow: () => void; doubt: () => void } {
  let last = options.from;
  let tries = 0;
  let closed = false;
  let refused = false;
  let wasRefused = false;
  let wake: (() => void) | undefined;
  let abort = new AbortController();

  const readOnce = async (): Promise<void> => {
    abort = new AbortController();
    const answer = await fetch(`/api/events?after=${last}`, {
      headers: await options.headers(refused),
      credentials: 'same-origin',
      signal: abort.signal,
    });
    refused = answer.status === 401;
    if (!answer.ok || !answer.body) throw new Error(`the stream answered ${answer.status}`);
    options.onState({ connected: true });
    tries = 0;
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
      const quiet = setTimeout(() => abort.abort(), silenceMs);
      const { done, value } = await reader.read().finally(() => clearTimeout(quiet));
      if (done) return;
      const split = splitBlocks(rest + value);
      rest = split.rest;
      for (const block of split.blocks) {
        if (block.event !== null)
          options.onEvent({ name: block.event, data: JSON.parse(block.data) as unknown } as StreamEvent);
        if (block.id !== null) last = block.id;
      }
    }
  };
  const run = async (): Promise<void> => {
    while (!closed) {
      await readOnce().catch(() => undefined);
      if (closed) return;
      // A session that ended is no trouble of the network: with a new one it is tried at once, but only once.
      const pause = refused && !wasRefused ? 0 : pausesMs[Math.min(tries, pausesMs.length - 1)]!;
      wasRefused = refused;
      tries += 1;
      options.onState({ connected: false, nextTryAt: Date.now() + pause });
      await new Promise<void>((resolve) => {
        wake = resolve;
        setTimeout(resolve, pause);
      });
    }
  };
  void run();
  const retryNow = (): void => wake?.();
  /** Something else did not get through: what is open now is given up and tried anew, which shows whether it was alive. */
  const doubt = (): void => abort.abort();
  addEventListener('online', retryNow);
  addEventListener('offline', doubt);
  return {
    retryNow,
    doubt,
    close: () => {
      closed = true;
      removeEventListener('online', retryNow);
      removeEventListener('offline', doubt);
      abort.abort();
      wake?.();
    },
  };
}
