// Whether everything is there that a WhatsApp channel needs: our sign-in, the account, the webhook addresses (C14).
import { z } from 'zod';
import { UpstreamError } from '../../base/errors.ts';
import type { ChannelAccess, ChannelCheck } from '../provider.ts';
import { lookAfterWebhooks } from './addresses.ts';
import { accountOf, twilioClient } from './client.ts';
import type { WhatsappSettings } from './settings.ts';

export async function checkChannel(settings: WhatsappSettings, channel: ChannelAccess): Promise<ChannelCheck> {
  const dead = await deadBy(settings, channel);
  return {
    dead,
    endsAt: null,
    missing: [],
    otherApps: [],
    ...(dead === null ? await lookAfterWebhooks(settings, channel) : { webhook: 'set' as const }),
  };
}

const accountShape = z.object({ status: z.string() });

/** A rotated auth token and a suspended account are told apart: different people mend them. */
async function deadBy(settings: WhatsappSettings, channel: ChannelAccess): Promise<string | null> {
  try {
    const client = await twilioClient(settings, accountOf(channel));
    const { status } = accountShape.parse(await client.api.v2010.accounts(channel.account).fetch());
    return status === 'active' ? null : 'account_suspended';
  } catch (error) {
    if (error instanceof UpstreamError && error.kind === 'reconnect') return error.reason ?? 'reconnect';
    throw error;
  }
}
