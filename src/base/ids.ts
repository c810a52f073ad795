// Ids made by us: time-ordered UUIDs (version 7), strictly increasing within a process.
import { randomBytes } from 'node:crypto';

let lastMs = 0;
let counter = 0;

/** A UUID v7 (RFC 9562) with a 12-bit counter, so that ids made in the same millisecond keep their order. */
export function newId(): string {
  const now = performance.timeOrigin + performance.now();
  const ms = Math.max(Math.floor(now), lastMs);
  counter = ms === lastMs ? counter + 1 : randomBytes(1)[0]!;
  lastMs = ms;
  if (counter > 0xfff) {
    lastMs += 1;
    counter = 0;
  }
  const time = lastMs.toString(16).padStart(12, '0');
  const random = randomBytes(8);
  random[0] = (random[0]! & 0x3f) | 0x80;
  const tail = random.toString('hex');
  const middle = `7${counter.toString(16).padStart(3, '0')}`;
  return `${time.slice(0, 8)}-${time.slice(8)}-${middle}-${tail.slice(0, 4)}-${tail.slice(4)}`;
}
