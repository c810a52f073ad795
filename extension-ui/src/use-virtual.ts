// Draws only what is in sight of a long list, whatever the height of its items. Around TanStack's virtual-core, which knows
// no framework, keeps the line that is read where it is when older items come before it, and follows the end of a chat.
import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  Virtualizer,
  type VirtualizerOptions,
} from '@tanstack/virtual-core';
import { useLayoutEffect, useReducer, useState } from 'preact/hooks';

export type Virtual = Virtualizer<HTMLElement, HTMLElement>;
export type VirtualSettings = Pick<
  VirtualizerOptions<HTMLElement, HTMLElement>,
  'count' | 'getScrollElement' | 'estimateSize'
> &
  Partial<VirtualizerOptions<HTMLElement, HTMLElement>>;

export function useVirtual(settings: VirtualSettings): Virtual {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const complete: VirtualizerOptions<HTMLElement, HTMLElement> = {
    observeElementRect,
    observeElementOffset,
    scrollToFn: elementScroll,
    ...settings,
    onChange: () => redraw(undefined),
  };
  const [virtual] = useState(() => new Virtualizer<HTMLElement, HTMLElement>(complete));
  virtual.setOptions(complete);
  useLayoutEffect(() => virtual._didMount(), [virtual]);
  useLayoutEffect(() => virtual._willUpdate());
  return virtual;
}
