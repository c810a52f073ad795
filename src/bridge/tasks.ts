// Names and payloads of the bridge's two tasks, apart from their handlers because each enqueues the other.
import { z } from 'zod';

/** Registers and removes channels, and looks whether a bridge that did not work works now. `daily` marks the one that comes again. */
export const syncTask = {
  name: 'sync-bridge',
  shape: z.object({ companyId: z.string(), daily: z.boolean().optional(), after: z.string().optional() }),
};

/** Tells Pipedrive what it has yet to hear of a conversation. With `probe` it asks although the bridge was found closed. */
export const pushTask = {
  name: 'push-conversation',
  shape: z.object({ conversationId: z.string(), probe: z.boolean().optional() }),
};
