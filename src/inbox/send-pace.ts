// When a sender's next message may leave: no faster than its provider takes them, and not while the provider has asked for quiet.
// Known to this process alone; what several of them send together too fast is refused by the provider, and waits.
import type { Clock } from '../base/clock.ts';

export interface SendPace {
  /** 0 when this message may leave now, else how many ms until its turn. Who asks again keeps his place. */
  waitMs(sender: string, message: string, perSecond: number): number;
  /** The provider wants nothing of this sender for so long. */
  rest(sender: string, ms: number): void;
}

/** Messages that share a limit. */
interface Lane {
  /** The latest places, as many as may leave within one window. */
  readonly taken: number[];
  /** When each message that waits may leave. */
  readonly places: Map<string, number>;
}

interface Sender {
  quietUntil: number;
  /** By how many a second it takes: text and video have limits of their own. */
  readonly lanes: Map<number, Lane>;
}

const mostSenders = 10_000;

export function createSendPace(clock: Clock): SendPace {
  const senders = new Map<string, Sender>();
  const now = (): number => clock.now().getTime();

  const senderOf = (name: string): Sender => {
    const known = senders.get(name);
    if (known) return known;
    if (senders.size >= mostSenders) senders.clear();
    const sender = { quietUntil: 0, lanes: new Map<number, Lane>() };
    senders.set(name, sender);
    return sender;
  };

  return {
    waitMs: (name, message, perSecond) => {
      const at = now();
      const { quietUntil, lanes } = senderOf(name);
      if (quietUntil > at) return quietUntil - at;
      const lane = lanes.get(perSecond) ?? { taken: [], places: new Map<string, number>() };
      lanes.set(perSecond, lane);
      const place = lane.places.get(message) ?? takePlace(lane, at, perSecond);
      if (place <= at) {
        lane.places.delete(message);
        return 0;
      }
      lane.places.set(message, place);
      return Math.ceil(place - at);
    },
    rest: (name, ms) => {
      const sender = senderOf(name);
      sender.quietUntil = Math.max(sender.quietUntil, now() + ms);
      // Who waits gets a new place afterwards, or all of them would leave at once.
      sender.lanes.clear();
    },
  };
}

/** As early as can be with no more than `perSecond` in any second, or one in several seconds. */
function takePlace({ taken }: Lane, at: number, perSecond: number): number {
  const [most, windowMs] = perSecond < 1 ? [1, 1_000 / perSecond] : [Math.floor(perSecond), 1_000];
  const before = taken.length < most ? undefined : taken.shift();
  const place = before === undefined ? at : Math.max(at, before + windowMs);
  taken.push(place);
  return place;
}
