// Where a WhatsApp attachment may be fetched from, and which address alone sees our credentials (Media resource).
import type { ChannelAccess, MediaRules } from '../provider.ts';
import { accountOf, basic } from './client.ts';
import type { WhatsappSettings } from './settings.ts';

const mediaPath = /^\/2010-04-01\/Accounts\/(AC[0-9a-f]{32})\/Messages\/(SM|MM)[0-9a-f]{32}\/Media\/ME[0-9a-f]{32}$/i;
const withoutCredentials = ['mms.twiliocdn.com', 'media.twiliocdn.com'];

export function mediaRules(settings: WhatsappSettings, channel: ChannelAccess): MediaRules {
  const apiOrigin = settings.apiUrl ?? 'https://api.twilio.com';
  return {
    allows: (host) => withoutCredentials.includes(host) || host === 'twilio.com' || host.endsWith('.twilio.com'),
    headersFor: (url): Record<string, string> =>
      url.origin === apiOrigin && mediaPath.exec(url.pathname)?.[1] === channel.account
        ? { authorization: basic(accountOf(channel)) }
        : {},
  };
}
