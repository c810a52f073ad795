// What one rep does and when the other one's window shows it (V11): a table of deeds, each timed the same way.
import type { Frame } from 'playwright-core';
import type { Rep } from '../sandbox/demo/rep.ts';

export interface Deed {
  readonly name: string;
  /** The deed itself, again and again: with an even index there, with an odd one back. */
  readonly does: (index: number) => Promise<unknown>;
  /** What of the watcher's page it changes. Runs in that page, and sees nothing of what stands around it here. */
  readonly shown: (page: Document) => string;
}

export interface DeedOptions {
  readonly doer: Rep;
  /** Open in the watcher's window, and assigned to the doer. */
  readonly openId: string;
  /** Unassigned, with the customer who writes in it again. */
  readonly deleted: { readonly id: string; readonly comesBack: () => Promise<unknown> };
  /** A channel of the doer with an unassigned conversation. */
  readonly channelId: string;
  readonly dealId: number;
}

/** Reading (V8) is not among them: what is unread is everybody's own, and changes nothing for others. */
export function deedsOf({ doer, openId, deleted, channelId, dealId }: DeedOptions): Deed[] {
  const open = `/api/conversations/${openId}`;
  const isThere = (index: number): boolean => index % 2 === 0;
  const closes = (index: number): Promise<unknown> =>
    doer.call('PUT', `${open}/status`, { status: isThere(index) ? 'closed' : 'open' });
  let linkId = '';
  return [
    // First of all: a thread has the last fifty things that happened, and of more it shows no further one.
    {
      name: 'closes and opens, in the thread (V10)',
      does: closes,
      shown: (page) => [...page.querySelectorAll('.line-event')].map(({ textContent }) => textContent).join(),
    },
    {
      name: 'unassigns and assigns (V4)',
      does: (index) => doer.call('PUT', `${open}/assignee`, { userId: isThere(index) ? null : String(doer.user.id) }),
      shown: (page) => page.querySelector('#tab-others .total')?.textContent ?? '',
    },
    {
      name: 'closes and opens (V5)',
      does: closes,
      shown: (page) => page.querySelector('#tab-closed .total')?.textContent ?? '',
    },
    {
      name: 'replies, in the open thread',
      does: (index) =>
        doer.call('POST', `${open}/messages`, { clientMessageId: `answer-${index}`, text: `answered ${index}.` }),
      shown: (page) =>
        page
          .querySelector('[role=log]')
          ?.textContent?.match(/answered \d+\./g)
          ?.at(-1) ?? '',
    },
    {
      name: 'types and stops (V9)',
      does: (index) => doer.call('PUT', `${open}/presence`, { typing: isThere(index) }),
      shown: (page) => page.querySelector('.presence')?.textContent ?? '',
    },
    {
      name: 'goes away and comes back (V3)',
      does: (index) => doer.call('PUT', '/api/me/availability', { available: !isThere(index) }),
      shown: (page) => String(page.querySelectorAll('.list-pane .row .away').length),
    },
    {
      name: 'links and unlinks a deal (L1)',
      does: async (index) => {
        if (!isThere(index)) return doer.call('DELETE', `${open}/links/${linkId}`);
        const link = { type: 'deal', recordId: String(dealId) };
        const { data } = await doer.call<{ data: { id: string }[] }>('POST', `${open}/links`, link);
        return (linkId = data[0]!.id);
      },
      shown: (page) => page.querySelector('.links-strip')?.textContent ?? '',
    },
    {
      name: 'deletes; the customer writes again (V7)',
      does: (index) => (isThere(index) ? doer.call('DELETE', `/api/conversations/${deleted.id}`) : deleted.comesBack()),
      shown: (page) => page.querySelector('#tab-unassigned .total')?.textContent ?? '',
    },
    {
      name: 'makes a channel private and shared (A8)',
      does: (index) =>
        doer.call('PATCH', `/api/channels/${channelId}`, { visibility: isThere(index) ? 'private' : 'shared' }),
      shown: (page) => page.querySelector('#tab-unassigned .total')?.textContent ?? '',
    },
  ];
}

interface Seen {
  readonly words: string;
  readonly at: number;
}

/** From the moment the deed is asked for to the moment the watcher's page is another, for each time, in ms. */
export async function timeDeed(frame: Frame, deed: Deed, times: number): Promise<number[]> {
  await frame.evaluate(watchFor(deed.shown));
  const seen = (): Promise<Seen> => frame.evaluate(() => (globalThis as { seen?: Seen }).seen!);
  const took: number[] = [];
  for (let index = 0; index < times; index += 1) {
    const before = await seen();
    const at = Date.now();
    await deed.does(index);
    const after = await waitFor(async () => {
      const now = await seen();
      return now.words === before.words ? undefined : now;
    }, deed.name);
    took.push(after.at - at);
    await pause(100);
  }
  return took;
}

/** A script for the page: notes what is shown, and since when. The watch of an earlier deed ends. */
function watchFor(shown: Deed['shown']): string {
  return `(() => {
    const shown = ${shown.toString()};
    globalThis.watching?.disconnect();
    globalThis.seen = { words: shown(document), at: 0 };
    globalThis.watching = new MutationObserver(() => {
      const words = shown(document);
      if (words !== globalThis.seen.words) globalThis.seen = { words, at: Date.now() };
    });
    globalThis.watching.observe(document, { childList: true, subtree: true, characterData: true });
  })()`;
}

export async function waitFor<T>(look: () => Promise<T | undefined>, what: string): Promise<T> {
  const end = performance.now() + 30_000;
  while (performance.now() < end) {
    const found = await look();
    if (found !== undefined) return found;
    await pause(10);
  }
  throw new Error(`waited in vain for: ${what}`);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
