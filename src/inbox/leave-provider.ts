// Tells a provider to send us nothing more of a channel that is gone: the last user uninstalled (A3), or the provider did not
// answer when the channel was disconnected (C15). What it needs to sign in goes along, sealed, and ends with the job.
import { z } from 'zod';
import { UpstreamError, UserError } from '../base/errors.ts';
import type { Tx } from '../db/database.ts';
import type { ChannelRow } from '../db/tables.ts';
import { defineTask } from '../jobs/queue.ts';
import { accessOf, type InboxDeps } from './deps.ts';
import { findChannel } from './ingest.ts';

/** Over some hours; after that the provider sends to an address that knows no such channel. */
const maxAttempts = 9;

const leftShape = z.object({
  id: z.string(),
  companyId: z.string(),
  provider: z.enum(['messenger', 'whatsapp']),
  account: z.string(),
  address: z.string(),
  sealedCredentials: z.string(),
});

export const leaveProvider = defineTask(
  'leave-provider',
  leftShape,
  async (deps: InboxDeps, left, job) => {
    const { provider, account, address } = left;
    // Connected again meanwhile: it is wanted.
    if (await deps.db.read((reader) => findChannel(reader, provider, account, address))) return;
    try {
      await deps.provider(provider).disconnect?.(accessOf(deps, left));
    } catch (error) {
      // The provider was switched off.
      if (error instanceof UserError) return;
      if (!(error instanceof UpstreamError)) throw error;
      if (mayWorkLater(error) && !job.lastAttempt) throw error;
      deps.log.info({ err: error, channelId: left.id }, 'could not unsubscribe a channel');
    }
  },
  { maxAttempts },
);

export function mayWorkLater(error: UpstreamError): boolean {
  return error.kind === 'retry' || error.kind === 'unknown' || error.kind === 'stop';
}

/** To be called before the credentials are forgotten. */
export async function enqueueLeaving(deps: Pick<InboxDeps, 'queue'>, tx: Tx, channel: ChannelRow): Promise<void> {
  const { id, companyId, provider, account, address, sealedCredentials } = channel;
  if (sealedCredentials === null) return;
  const left = { id, companyId, provider, account, address, sealedCredentials };
  await deps.queue.enqueue(tx, leaveProvider, left, { key: id });
}
