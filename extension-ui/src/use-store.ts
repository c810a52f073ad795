// Hooks: the store's state in a component, the time in minutes, the size of the surface.
import { useEffect, useLayoutEffect, useState } from 'preact/hooks';
import type { State } from './state.ts';
import type { Store } from './store.ts';

/** A part of the state; the component is drawn again when that part changes. */
export function useStore<T>(store: Store, pick: (state: State) => T): T {
  const [picked, setPicked] = useState(() => pick(store.get()));
  useLayoutEffect(() => {
    const look = (): void => setPicked(() => pick(store.get()));
    look();
    return store.subscribe(look);
  }, [store, pick]);
  return picked;
}

/** The server's time, stepping every half minute. */
export function useNow(offset: number): number {
  const [now, setNow] = useState(() => Date.now() + offset);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now() + offset), 30_000);
    return () => clearInterval(timer);
  }, [offset]);
  return now;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

export function useSize(element: HTMLElement | null): Size {
  const [size, setSize] = useState<Size>({ width: innerWidth, height: innerHeight });
  useLayoutEffect(() => {
    if (!element) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setSize({ width: Math.round(entry.contentRect.width), height: Math.round(entry.contentRect.height) });
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [element]);
  return size;
}
