// What the inbox needs from below, given to it by app.ts.
import type { Clock } from '../base/clock.ts';
import type { Vault } from '../base/crypto.ts';
import type { Log } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import type { ChannelAccess, MediaRules, Provider, ProviderName } from '../channels/provider.ts';
import type { Database } from '../db/database.ts';
import type { AttachmentRow, ChannelRow } from '../db/tables.ts';
import type { LinkPurpose } from '../media/links.ts';
import type { Queue } from '../jobs/queue.ts';
import type { Changes } from './changes.ts';
import type { SendPace } from './send-pace.ts';
import type { TemplateShelf } from './template-shelf.ts';

export interface InboxDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly vault: Vault;
  readonly queue: Queue;
  readonly changes: Changes;
  readonly publicUrl: string;
  /** Throws `UserError('not_found')` for a provider that is switched off. */
  readonly provider: (name: ProviderName) => Provider;
  /** Copies a provider's file to our storage, guarded (C6). */
  readonly fetchMedia: (url: string, rules: MediaRules) => Promise<FetchedMedia>;
  /** Copies a file that was handed over to our storage. */
  readonly keepFile: (path: string, name: string) => Promise<FetchedMedia>;
  readonly mediaBytes: (mediaKey: string) => Promise<Buffer>;
  readonly templates: TemplateShelf;
  readonly sendPace: SendPace;
  readonly removeMedia: (mediaKey: string) => Promise<void>;
  /** A signed, expiring address: short for a browser, long enough for a provider's queue, a day for an export. */
  readonly mediaLink: (attachment: Pick<AttachmentRow, 'id' | 'companyId' | 'name'>, purpose: LinkPurpose) => string;
}

export interface FetchedMedia {
  readonly mediaKey: string;
  readonly contentType: string;
  readonly size: number;
  readonly width: number | null;
  readonly height: number | null;
}

/** Opens a channel's credentials for a call to its provider. Throws when it was disconnected. */
export function accessOf(
  deps: Pick<InboxDeps, 'vault'>,
  channel: Pick<ChannelRow, 'id' | 'companyId' | 'account' | 'address' | 'sealedCredentials'>,
): ChannelAccess {
  if (channel.sealedCredentials === null) throw new Error('the channel is disconnected');
  const opened: unknown = JSON.parse(deps.vault.open(channel.sealedCredentials, credentialsPlace(channel)));
  return {
    account: channel.account,
    address: channel.address,
    credentials: opened as ChannelAccess['credentials'],
  };
}

/** Where the credentials of a channel are sealed for. */
export function credentialsPlace(channel: Pick<ChannelRow, 'id' | 'companyId'>): string {
  return `channel:${channel.companyId}:${channel.id}:credentials`;
}
