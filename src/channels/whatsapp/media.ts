// Files: what WhatsApp takes, and where one may be fetched from, with which address alone seeing our credentials (Media resource).
import type { AttachmentRules, ChannelAccess, MediaRules } from '../provider.ts';
import { accountOf, basic } from './client.ts';
import type { WhatsappSettings } from './settings.ts';

const mediaPath = /^\/2010-04-01\/Accounts\/(AC[0-9a-f]{32})\/Messages\/(SM|MM)[0-9a-f]{32}\/Media\/ME[0-9a-f]{32}$/i;
const withoutCredentials = ['mms.twiliocdn.com', 'media.twiliocdn.com'];

const megabyte = 1024 * 1024;
const office = 'application/vnd.openxmlformats-officedocument';

/** Guidance for WhatsApp media messages. Ogg is taken with Opus in it only. Documents and sound come without a caption. */
export const attachments: AttachmentRules = {
  kinds: {
    image: { maxBytes: 5 * megabyte, types: ['image/jpeg', 'image/png'] },
    video: { maxBytes: 16 * megabyte, types: ['video/mp4'] },
    audio: {
      maxBytes: 16 * megabyte,
      types: ['audio/ogg; codecs=opus', 'audio/mpeg', 'audio/amr', 'audio/aac', 'audio/3gpp'],
    },
    file: {
      maxBytes: 16 * megabyte,
      types: [
        'application/pdf',
        'application/msword',
        `${office}.wordprocessingml.document`,
        `${office}.presentationml.presentation`,
        `${office}.spreadsheetml.sheet`,
        'text/vcard',
      ],
    },
  },
  captions: ['image', 'video'],
};

export function mediaRules(settings: WhatsappSettings, channel: ChannelAccess): MediaRules {
  const apiOrigin = settings.apiUrl ?? 'https://api.twilio.com';
  return {
    maxBytes: 16 * megabyte,
    allows: (host) => withoutCredentials.includes(host) || host === 'twilio.com' || host.endsWith('.twilio.com'),
    headersFor: (url): Record<string, string> =>
      url.origin === apiOrigin && mediaPath.exec(url.pathname)?.[1] === channel.account
        ? { authorization: basic(accountOf(channel)) }
        : {},
  };
}
