// Removes files that no row names any more: a job of its own, so that none is left behind by a process that ends in between.
import { z } from 'zod';
import { defineTask } from '../jobs/queue.ts';
import type { InboxDeps } from './deps.ts';

export const removeMedia = defineTask(
  'remove-media',
  z.object({ keys: z.array(z.string()) }),
  async (deps: InboxDeps, { keys }) => {
    for (const key of keys) await deps.removeMedia(key);
  },
);
