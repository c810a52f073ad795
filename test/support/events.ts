// A client of the event stream, as a surface is one: it knows the number of the last event and resumes from it.

import { expect, onTestFinished } from 'vitest';
import { eventFault } from './openapi-answers.ts';

export interface StreamedEvent {
  readonly number: number | null;
  readonly name: string;
  readonly data: Record<string, unknown>;
  /** When it arrived, by the monotonic clock (ms). */
  readonly at: number;
}

export interface EventClient {
  readonly events: StreamedEvent[];
  last(): number | null;
  close(): void;
}

export function openEvents(url: string, token: string, after?: number | string): EventClient {
  const abort = new AbortController();
  const events: StreamedEvent[] = [];
  const faults: string[] = [];
  onTestFinished(() => expect(faults).toEqual([]));
  const read = async (): Promise<void> => {
    const query = after === undefined ? '' : `?after=${after}`;
    const answer = await fetch(`${url}/api/events${query}`, {
      headers: { authorization: `Bearer ${token}` },
      signal: abort.signal,
    });
    const decoder = new TextDecoder();
    let rest = '';
    for await (const part of answer.body as unknown as AsyncIterable<Uint8Array>) {
      const blocks = (rest + decoder.decode(part, { stream: true })).split('\n\n');
      rest = blocks.pop()!;
      for (const block of blocks) {
        const event = parse(block);
        if (event) events.push(event);
        const fault = event && eventFault(event.name, event.data);
        if (fault) faults.push(fault);
      }
    }
  };
  read().catch(() => undefined);
  return {
    events,
    last: () =>
      events
        .map(({ number }) => number)
        .filter((number) => number !== null)
        .at(-1) ?? null,
    close: () => abort.abort(),
  };
}

function parse(block: string): StreamedEvent | undefined {
  const fields = new Map(
    block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)] as const),
  );
  const name = fields.get('event');
  if (name === undefined) return undefined;
  const id = fields.get('id');
  return {
    number: id === undefined ? null : Number(id),
    name,
    data: JSON.parse(fields.get('data')!) as Record<string, unknown>,
    at: performance.now(),
  };
}
