// Replies that have not reached the server yet, kept in this browser with their client message id until they have (S-03).
import type { Message } from '../../src/web/contract.ts';

export interface Waiting {
  /** As it is drawn meanwhile. */
  readonly message: Message;
  readonly attachmentIds: readonly string[];
  readonly template: { readonly id: string; readonly variables: Record<string, string> } | null;
  readonly seenThrough: string | undefined;
}

export interface Outbox {
  all(): readonly Waiting[];
  get(clientMessageId: string): Waiting | undefined;
  put(waiting: Waiting): void;
  remove(clientMessageId: string): void;
}

export function openOutbox(userId: string): Outbox {
  const key = `outbox:${userId}`;
  const waiting = new Map<string, Waiting>();
  try {
    for (const kept of JSON.parse(localStorage.getItem(key) ?? '[]') as Waiting[])
      waiting.set(kept.message.clientMessageId!, kept);
  } catch {
    // No storage in this frame: it lives as long as the page.
  }
  const keep = (): void => {
    try {
      // An address of a picture in this browser ends with the page.
      const lasting = [...waiting.values()].map((entry) => ({
        ...entry,
        message: {
          ...entry.message,
          attachments: entry.message.attachments.map((file) => ({ ...file, url: null, state: 'pending' as const })),
        },
      }));
      if (lasting.length === 0) localStorage.removeItem(key);
      else localStorage.setItem(key, JSON.stringify(lasting));
    } catch {
      // As above.
    }
  };
  return {
    all: () => [...waiting.values()],
    get: (clientMessageId) => waiting.get(clientMessageId),
    put: (entry) => {
      waiting.set(entry.message.clientMessageId!, entry);
      keep();
    },
    remove: (clientMessageId) => {
      if (waiting.delete(clientMessageId)) keep();
    },
  };
}
