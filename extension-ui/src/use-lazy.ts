// A part of the screen that is loaded when it is asked for.
import type { FunctionComponent } from 'preact';
import { useEffect, useState } from 'preact/hooks';

/** The component once it is here, or null; loads when `wanted` turns true. A failed load is tried again at the next wish. */
export function useLazy<Props>(
  wanted: boolean,
  load: () => Promise<{ default: FunctionComponent<Props> }>,
): FunctionComponent<Props> | null {
  const [component, setComponent] = useState<FunctionComponent<Props> | null>(null);
  useEffect(() => {
    if (!wanted || component) return;
    let gone = false;
    void load()
      .then((module) => {
        if (!gone) setComponent(() => module.default);
      })
      .catch(() => undefined);
    return () => {
      gone = true;
    };
  }, [wanted, component, load]);
  return component;
}
