// What was said before a channel was connected: taken over page by page in the background (C13). Tells nobody, writes no
// notes, opens nothing, is not unread. Each page commits together with the place of the next one, so that a crash costs nothing.
import { z } from 'zod';
import { UpstreamError } from '../base/errors.ts';
import type { HistoryPage } from '../channels/provider.ts';
import type { Tx } from '../db/database.ts';
import type { ChannelRow } from '../db/tables.ts';
import { defineTask } from '../jobs/queue.ts';
import { changeFacts, factsOf, markBroken, type ChannelFacts } from './channel-state.ts';
import { accessOf, type InboxDeps } from './deps.ts';
import { takeIn } from './take-in.ts';

export interface ImportDeps extends InboxDeps {
  /** How many conversations are taken over, and how many messages of each. None when it is 0. */
  readonly importing: { readonly conversations: number; readonly messages: number };
}

/** A provider is asked for pages no faster than this (Messenger's Conversations API takes 2 calls a second). */
const pauseMs = 1_000;

export const importHistory = defineTask(
  'import-history',
  z.object({ channelId: z.string(), cursor: z.string().nullable() }),
  async (deps: ImportDeps, { channelId, cursor }, job) => {
    const channel = await deps.db.read((reader) =>
      reader.one<ChannelRow>('select * from channel where id = ?', [channelId]),
    );
    if (channel?.state !== 'connected' || deps.importing.conversations === 0) return;
    const provider = deps.provider(channel.provider);
    if (!provider.history) return;
    let page: HistoryPage;
    try {
      page = await provider.history(accessOf(deps, channel), { since: null, cursor, ...deps.importing });
    } catch (error) {
      const mayWork = error instanceof UpstreamError && error.kind !== 'refused' && error.kind !== 'reconnect';
      if (!(error instanceof UpstreamError) || (mayWork && !job.lastAttempt)) throw error;
      return stop(deps, channel, error);
    }
    await deps.db.transaction(async (tx) => {
      await takeIn(deps, tx, channel, page.events);
      const state = page.next === null ? 'done' : 'running';
      await showProgress(deps, tx, channel, { state, done: page.done, total: page.total });
      if (page.next !== null) {
        const next = { channelId, cursor: page.next };
        await deps.queue.enqueue(tx, importHistory, next, { key: channelId, delayMs: pauseMs });
      }
      job.done(tx);
    });
  },
);

/** The provider does not give what was before: the channel works without it, and its health says so. */
async function stop(deps: ImportDeps, channel: ChannelRow, error: UpstreamError): Promise<void> {
  deps.log.info({ err: error, channelId: channel.id }, 'the import of a channel ends early');
  const { done = 0, total = null } = factsOf(channel).import ?? {};
  await deps.db.transaction(async (tx) => {
    if (error.kind === 'reconnect') await markBroken(deps, tx, channel, error.reason ?? 'reconnect');
    await showProgress(deps, tx, channel, { state: 'stopped', done, total });
  });
}

async function showProgress(
  deps: InboxDeps,
  tx: Tx,
  channel: ChannelRow,
  progress: NonNullable<ChannelFacts['import']>,
): Promise<void> {
  await changeFacts(tx, channel.id, (facts) => ({ ...facts, import: progress }));
  await deps.changes.record(tx, { kind: 'channel.changed', companyId: channel.companyId, channelId: channel.id });
}
