// Telling Twilio our webhook addresses for a channel that is connected: again, or in place of somebody else's (C2).
import { UserError } from '../base/errors.ts';
import { requireOwner, type Viewer } from '../companies/access.ts';
import { audit } from '../companies/audit.ts';
import type { ChannelRow } from '../db/tables.ts';
import { changeFacts } from './channel-state.ts';
import { channelFor } from './channels.ts';
import type { ConnectDeps } from './connect.ts';
import { accessOf } from './deps.ts';

/** What stood there before is lost with `takeOver`, which only a person may decide. */
export async function takeWebhook(
  deps: ConnectDeps,
  viewer: Viewer,
  channelId: string,
  { takeOver = false }: { takeOver?: boolean | undefined },
): Promise<ChannelRow> {
  const channel = await deps.db.read((reader) => channelFor(reader, viewer, channelId));
  requireOwner(viewer, channel);
  if (channel.provider !== 'whatsapp') throw new UserError('not_found');
  if (channel.state !== 'connected') throw new UserError('channel_broken', { reason: channel.brokenReason });
  const { account, address, credentials } = accessOf(deps, channel);
  const twilio = { accountSid: account, authToken: credentials.authToken ?? '' };
  const senders = await deps.providers.whatsapp.listSenders(twilio);
  const sender = senders.find((found) => found.address === address);
  if (!sender) throw new UserError('sender_not_found', { sender: address });
  const { webhook, elsewhere } = await deps.providers.whatsapp.setWebhooks(twilio, sender.sid, { takeOver });
  return deps.db.transaction(async (tx) => {
    const after = await changeFacts(tx, channel.id, (facts) => {
      const now = { webhook, elsewhere };
      return { ...facts, ...now, senderSid: sender.sid, ...(facts.check ? { check: { ...facts.check, ...now } } : {}) };
    });
    await audit(deps, tx, {
      companyId: viewer.companyId,
      userId: viewer.userId,
      act: 'webhook_set',
      details: { channelId: channel.id, takeOver, webhook },
    });
    await deps.changes.record(tx, { kind: 'channel.changed', companyId: viewer.companyId, channelId: channel.id });
    return after ?? channel;
  });
}
