// The templates of each channel, kept for a short while: they change rarely, and a picker is opened often.
import type { Clock } from '../base/clock.ts';
import type { Template } from '../channels/provider.ts';

export interface TemplateShelf {
  take(channelId: string, ask: () => Promise<Template[]>): Promise<Template[]>;
  /** One of them was refused: what we know is out of date. */
  forget(channelId: string): void;
}

const shelfLifeMs = 5 * 60_000;

export function createTemplateShelf(clock: Clock): TemplateShelf {
  const lists = new Map<string, { until: number; list: Promise<Template[]> }>();
  return {
    take: (channelId, ask) => {
      const now = clock.now().getTime();
      const known = lists.get(channelId);
      if (known && known.until > now) return known.list;
      const entry = { until: now + shelfLifeMs, list: ask() };
      lists.set(channelId, entry);
      // A failure is not kept.
      entry.list.catch(() => lists.get(channelId) === entry && lists.delete(channelId));
      return entry.list;
    },
    forget: (channelId) => void lists.delete(channelId),
  };
}
