// Facebook Messenger for Pages, put together from its parts.
import type { MediaRules, MessengerProvider } from '../provider.ts';
import { checkPage } from './check.ts';
import { currentMedia, readHistory, recentMessages } from './history.ts';
import { authorizeUrl, finishLogin, subscribe, unsubscribe } from './login.ts';
import { readProfile } from './profile.ts';
import { sendMessage, showHint } from './send.ts';
import type { MessengerDeps } from './settings.ts';
import { signedPerson } from './signed-request.ts';
import { attachments } from './upload.ts';
import { answerHandshake, parseWebhook, verifyWebhook } from './webhook.ts';

const hourMs = 3_600_000;
const mediaHosts = ['fbcdn.net', 'fbsbx.com', 'facebook.com'];
const mediaRules: MediaRules = {
  maxBytes: 25 * 1024 * 1024,
  allows: (host) => mediaHosts.some((known) => host === known || host.endsWith(`.${known}`)),
  headersFor: () => ({}),
};

export function createMessenger(deps: MessengerDeps): MessengerProvider {
  return {
    name: 'messenger',
    // "less than 2000 characters" (Send API Reference).
    capabilities: {
      replyWindowMs: (deps.humanAgent ? 7 * 24 : 24) * hourMs,
      maxText: 1_999,
      attachments,
      templates: false,
    },
    claim: () => null,
    verify: (request) => verifyWebhook(deps.appSecret, request),
    parse: (request) => parseWebhook(deps.appId, request.body),
    send: (channel, message) => sendMessage(deps, channel, message),
    // Per Page: 300 calls a second for text, links and stickers, 10 for sound and video (Messenger Platform rate limits).
    perSecond: (_, kind) => (kind === 'audio' || kind === 'video' ? 10 : 300),
    mediaRules: () => mediaRules,
    currentMedia: (channel, messageId) => currentMedia(deps, channel, messageId),
    recentMessages: (channel, contactAddress, since) => recentMessages(deps, channel, contactAddress, since),
    history: (channel, request) => readHistory(deps, channel, request),
    hint: (channel, contactAddress, what) => showHint(deps, channel, contactAddress, what),
    check: (channel) => checkPage(deps, channel),
    profile: (channel, contactAddress) => readProfile(deps, channel, contactAddress),
    disconnect: (channel) => unsubscribe(deps, channel),
    authorizeUrl: (state) => authorizeUrl(deps, state),
    finishLogin: (code) => finishLogin(deps, code),
    subscribe: (page) => subscribe(deps, page),
    signedPerson: (signedRequest) => signedPerson(deps.appSecret, signedRequest),
    handshake: (query) => answerHandshake(query, deps.verifyToken),
  };
}
