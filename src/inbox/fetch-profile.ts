// Name and picture of a contact, where the provider tells them. A refusal changes nothing and delays nothing.
import { z } from 'zod';
import { timeText } from '../base/clock.ts';
import { UpstreamError } from '../base/errors.ts';
import { cleanText } from './clean-text.ts';
import type { ChannelRow, ContactRow, ConversationRow } from '../db/tables.ts';
import { defineTask } from '../jobs/queue.ts';
import { theApp } from './changes.ts';
import { accessOf, type InboxDeps } from './deps.ts';
import { reindexName } from './search-index.ts';

export const fetchProfile = defineTask(
  'fetch-profile',
  z.object({ contactId: z.string() }),
  async (deps: InboxDeps, { contactId }, job) => {
    const found = await deps.db.read(async (reader) => {
      const contact = await reader.one<ContactRow>('select * from contact where id = ?', [contactId]);
      const channel =
        contact && (await reader.one<ChannelRow>('select * from channel where id = ?', [contact.channelId]));
      return contact && channel ? { contact, channel } : undefined;
    });
    if (!found || found.channel.state !== 'connected') return;
    const { contact, channel } = found;
    const provider = deps.provider(channel.provider);
    if (!provider.profile) return;
    const access = accessOf(deps, channel);
    try {
      const profile = await provider.profile(access, contact.address);
      const picture = profile.avatarUrl
        ? await deps.fetchMedia(profile.avatarUrl, provider.mediaRules(access)).catch(() => null)
        : null;
      const name = profile.name === null ? null : cleanText(profile.name).trim() || null;
      await deps.db.transaction(async (tx) => {
        await tx.query(
          'update contact set name = coalesce(?, name), avatar_media_key = coalesce(?, avatar_media_key), profile_at = ? where id = ?',
          [name, picture?.mediaKey ?? null, timeText(deps.clock), contact.id],
        );
        if (name) {
          await tx.query(`update message set author_name = ? where author_kind = 'contact' and author_id = ?`, [
            name,
            contact.id,
          ]);
          if (name !== contact.name) await reindexName(tx, contact.id);
        }
        const conversation = await tx.one<ConversationRow>('select * from conversation where contact_id = ?', [
          contact.id,
        ]);
        if (conversation) {
          await deps.changes.record(tx, { kind: 'conversation.changed', conversation, act: null, by: theApp });
        }
      });
      if (picture && contact.avatarMediaKey !== null) await deps.removeMedia(contact.avatarMediaKey);
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      if (error.kind === 'retry' && !job.lastAttempt) throw error;
    }
  },
  { maxAttempts: 4 },
);
