// The person at Facebook who connected Pages: signs in again, removes the app, or wants his data deleted (O5). Known to us are
// his id, for this app alone, and the tokens of his Pages.
import { timeText } from '../base/clock.ts';
import { newId } from '../base/ids.ts';
import type { MessengerPage } from '../channels/provider.ts';
import type { Tx } from '../db/database.ts';
import { DataDeletion, type ChannelRow, type DataDeletionRow } from '../db/tables.ts';
import { changeFacts, factsOf, markBroken, markSound } from './channel-state.ts';
import { credentialsPlace, type InboxDeps } from './deps.ts';
import { reconcileChannel } from './reconcile.ts';

/** He removed the app: his tokens are dead and are forgotten; what is in the inbox stays. */
export async function deauthorize(deps: InboxDeps, facebookUserId: string): Promise<void> {
  const count = await deps.db.transaction((tx) => forgetTokens(deps, tx, facebookUserId));
  deps.log.info({ channels: count }, 'a person removed the app at Facebook');
}

/** Deletes what is known of him; answers the code under which he can look it up. */
export function deletePerson(deps: InboxDeps, facebookUserId: string): Promise<string> {
  return deps.db.transaction(async (tx) => {
    const channels = await channelsOf(tx, facebookUserId);
    await forgetTokens(deps, tx, facebookUserId);
    for (const { id } of channels) {
      await changeFacts(tx, id, ({ facebookUserId: _, ...facts }) => facts);
    }
    await tx.query('delete from messenger_login where facebook_user_id = ?', [facebookUserId]);
    const code = newId().replaceAll('-', '');
    await tx.insert(DataDeletion, { id: code, channels: channels.length, doneAt: timeText(deps.clock) });
    return code;
  });
}

export function readDeletion(deps: Pick<InboxDeps, 'db'>, code: string): Promise<DataDeletionRow | undefined> {
  return deps.db.read((reader) => reader.one<DataDeletionRow>('select * from data_deletion where id = ?', [code]));
}

/**
 * He signed in again. Facebook kills the tokens of Pages that were left out this time; those of the others may be new ones,
 * which mend what was broken.
 */
export async function renewPages(
  deps: InboxDeps,
  tx: Tx,
  facebookUserId: string,
  pages: readonly MessengerPage[],
): Promise<void> {
  for (const channel of await channelsOf(tx, facebookUserId)) {
    const page = pages.find(({ id }) => id === channel.address);
    if (!page || page.token === '') {
      await markBroken(deps, tx, channel, 'token_page_left_out');
      continue;
    }
    await keepToken(deps, tx, channel, page.token);
    await markSound(deps, tx, channel);
    await deps.queue.enqueue(tx, reconcileChannel, { channelId: channel.id, page: null }, { key: channel.id });
  }
}

async function forgetTokens(deps: InboxDeps, tx: Tx, facebookUserId: string): Promise<number> {
  const channels = await channelsOf(tx, facebookUserId);
  for (const channel of channels) {
    await keepToken(deps, tx, channel, '');
    await markBroken(deps, tx, channel, 'token_app_removed');
  }
  return channels.length;
}

async function keepToken(deps: InboxDeps, tx: Tx, channel: ChannelRow, pageToken: string): Promise<void> {
  const sealed = deps.vault.seal(JSON.stringify({ pageToken }), credentialsPlace(channel));
  await tx.query('update channel set sealed_credentials = ? where id = ?', [sealed, channel.id]);
}

async function channelsOf(tx: Tx, facebookUserId: string): Promise<ChannelRow[]> {
  const channels = await tx.query<ChannelRow>(
    `select * from channel where provider = 'messenger' and state <> 'disconnected' and facts like ?`,
    [`%"facebookUserId":"${facebookUserId}"%`],
  );
  return channels.filter((channel) => factsOf(channel).facebookUserId === facebookUserId);
}
