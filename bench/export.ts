// What it takes to hand out a whole company (O5): how fast, how complete, and that the server's memory does not grow with it.
import type { Rep } from '../sandbox/demo/rep.ts';
import type { Server } from './processes.ts';

/** In MB, of the server's resident memory. */
const growthLimit = 150;
const lookEveryMs = 50;

/** Exports in both formats while somebody else looks at the list. Prints what it took; answers what was wrong. */
export async function measureExport(admin: Rep, server: Server, messages: number): Promise<string[]> {
  const wrong: string[] = [];
  for (const format of ['json', 'csv'] as const) {
    const before = server.memory();
    let most = before;
    const watch = setInterval(() => (most = Math.max(most, server.memory())), lookEveryMs);
    const begun = performance.now();
    const reading = takeAll(await admin.read(`/api/export?format=${format}`), format);
    const looks = await lookMeanwhile(admin, reading);
    const { bytes, found } = await reading;
    const seconds = (performance.now() - begun) / 1_000;
    clearInterval(watch);
    console.log(
      `export as ${format.padEnd(4)} ${(bytes / 1e6).toFixed(1)} MB in ${seconds.toFixed(1)} s, ` +
        `${(bytes / 1e6 / seconds).toFixed(1)} MB/s; memory ${before} MB and ${most - before} MB more at most; ` +
        `a list meanwhile p95 ${looks.toFixed(0)} ms`,
    );
    if (most - before > growthLimit) wrong.push(`export as ${format}: memory grew by ${most - before} MB`);
    if (found !== messages) wrong.push(`export as ${format}: ${found} messages of ${messages}`);
  }
  return wrong;
}

/** Takes it as it comes and keeps nothing. */
async function takeAll(answer: Response, format: 'json' | 'csv'): Promise<{ bytes: number; found: number }> {
  let [bytes, found, rest] = [0, 0, ''];
  // Each message has a line of its own, in JSON after the one of its conversation.
  const mark = format === 'json' ? /^\{"id":"[^"]+","direction":/gm : /\r\n/g;
  const decoder = new TextDecoder();
  for await (const piece of answer.body as unknown as AsyncIterable<Uint8Array>) {
    bytes += piece.length;
    const words = rest + decoder.decode(piece, { stream: true });
    // What is counted is not cut in two.
    const end = words.lastIndexOf('\n') + 1;
    found += words.slice(0, end).match(mark)?.length ?? 0;
    rest = words.slice(end);
  }
  return { bytes, found: format === 'json' ? found : found - 1 };
}

/** What a first page takes while it goes on, p95 in ms. */
async function lookMeanwhile(rep: Rep, reading: Promise<unknown>): Promise<number> {
  let over = false;
  const end = (): void => void (over = true);
  reading.then(end, end);
  const took: number[] = [];
  while (!over) {
    const begun = performance.now();
    await rep.call('GET', '/api/conversations?section=all');
    took.push(performance.now() - begun);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return took.toSorted((left, right) => left - right)[Math.floor((took.length - 1) * 0.95)] ?? 0;
}
