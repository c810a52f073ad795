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
  return uuid(lastMs, counter);
}

let pastMs = 0;
let pastCounter = 0;

/** An id as one made at that time (ISO text) would be, so that what is old stays in order among what is new. */
export function idAt(time: string): string {
  const ms = Math.max(0, Date.parse(time));
  pastCounter = ms === pastMs ? (pastCounter + 1) & 0xfff : 0;
  pastMs = ms;
  return uuid(ms, pastCounter);
}

function uuid(ms: number, count: number): string {
  const time = ms.toString(16).padStart(12, '0');
  const random = randomBytes(8);
  random[0] = (random[0]! & 0x3f) | 0x80;
  const tail = random.toString('hex');
  const middle = `7${count.toString(16).padStart(3, '0')}`;
  return `${time.slice(0, 8)}-${time.slice(8)}-${middle}-${tail.slice(0, 4)}-${tail.slice(4)}`;
}
