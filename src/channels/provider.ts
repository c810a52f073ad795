// What every messaging provider can do, and the words it speaks in. A provider translates; it does not remember:
// no database, no clock. Provider ids are opaque outside its folder.
import type { Send } from '../base/http.ts';

export type ProviderName = 'messenger' | 'whatsapp';

/** Secrets of one channel, opened. The shape is the provider's own business. */
export type Credentials = Readonly<Record<string, string>>;

/** What a provider is told of the channel it works for. */
export interface ChannelAccess {
  /** Page id, or Twilio account SID. */
  readonly account: string;
  /** Page id, or `whatsapp:+…`. */
  readonly address: string;
  readonly credentials: Credentials;
}

export interface Identity {
  readonly type: 'psid' | 'phone' | 'whatsapp_user';
  readonly value: string;
}

export type MediaKind = 'image' | 'video' | 'audio' | 'file' | 'sticker';
export type MessageKind =
  MediaKind | 'text' | 'location' | 'contact' | 'template' | 'postback' | 'shared' | 'unsupported';

export interface RemoteMedia {
  readonly kind: MediaKind;
  readonly url: string;
  /** What the provider says it is; never trusted. */
  readonly contentType: string | null;
  readonly name: string | null;
}

export interface Party {
  /** Exactly what a reply goes to. */
  readonly address: string;
  readonly identities: readonly Identity[];
  /** The name the webhook brought, if any. */
  readonly name: string | null;
}

interface EventBase {
  /** Our side: which channel it is for. */
  readonly account: string;
  readonly address: string;
  /** When it happened by the provider's clock (ISO text), or null when the provider does not tell. */
  readonly at: string | null;
}

/** What a message holds beyond its text and files. Each part is there only when the provider brought it. */
export interface MessageDetails {
  readonly location?: {
    readonly latitude: number;
    readonly longitude: number;
    readonly name?: string;
    readonly address?: string;
  };
  readonly contacts?: readonly { readonly name: string; readonly phones: readonly string[] }[];
  /** A shared post, link preview or the like. */
  readonly shared?: { readonly title?: string; readonly url?: string };
  readonly forwarded?: true;
  /** Another app has the conversation at this moment, and answers it. */
  readonly answeredElsewhere?: true;
  /** The contact changed its text after sending. */
  readonly edited?: true;
  /** Which of its changes the text is: an earlier one that comes later changes nothing. Not shown. */
  readonly editVersion?: number;
  /** The ad or link the contact came from. */
  readonly referral?: {
    readonly source: string;
    readonly title?: string;
    readonly body?: string;
    readonly url?: string;
  };
  /** The template an outbound message was made of. */
  readonly template?: {
    readonly id: string;
    readonly name: string;
    readonly variables: Readonly<Record<string, string>>;
  };
}

/** The contact wrote, or an outbound message was reported back to us (`echo`). */
export interface MessageEvent extends EventBase {
  readonly type: 'message';
  readonly contact: Party;
  readonly providerMessageId: string;
  readonly kind: MessageKind;
  readonly text: string;
  readonly media: readonly RemoteMedia[];
  readonly details: MessageDetails | null;
  readonly replyToProviderId: string | null;
  /** Null for what the contact wrote. */
  readonly echo: {
    /** Our message id when the echo carries it. */
    readonly messageId: string | null;
    /** Where it was sent from, e.g. `page_inbox`, `other_app`, or `own_app` when it came from us. */
    readonly source: string;
  } | null;
  /** Whether it opens the reply window. */
  readonly opensWindow: boolean;
  /** The event as it came (JSON text), kept for what we cannot show. */
  readonly raw: string;
}

export type DeliveryStatus = 'sent' | 'delivered' | 'read' | 'failed';

/** The provider reports what became of a message of ours. */
export interface StatusEvent extends EventBase {
  readonly type: 'status';
  readonly contact: Party | null;
  /** One message; or null when `through` speaks of all up to a time. */
  readonly providerMessageId: string | null;
  /** Our own message id, if it travelled along. */
  readonly messageId: string | null;
  /** ISO text: every outbound message up to this time (Messenger's watermark). */
  readonly through: string | null;
  readonly status: DeliveryStatus;
  readonly failure: SendFailure | null;
}

/** A reaction to a message, given or taken back. */
export interface ReactionEvent extends EventBase {
  readonly type: 'reaction';
  readonly contact: Party;
  readonly targetProviderId: string;
  /** Null when it was taken back. */
  readonly emoji: string | null;
  readonly by: 'contact' | 'channel';
}

/** The contact changed the text of a message. */
export interface EditEvent extends EventBase {
  readonly type: 'edit';
  readonly contact: Party;
  readonly targetProviderId: string;
  readonly text: string;
  /** Which change of this message it is, counted from 1; where the provider does not count, the later one wins. */
  readonly version?: number;
}

/** The provider says that the whole channel is in trouble, or no longer is. */
export interface TroubleEvent extends EventBase {
  readonly type: 'trouble';
  /** Names the sentences `failed.<code>` and `health.<code>` in `locales/`. */
  readonly code: 'policy' | 'policy_warned';
  readonly isOver: boolean;
}

/** Something we know but do nothing about, counted under `reason`. */
export interface IgnoredEvent extends EventBase {
  readonly type: 'ignored';
  readonly reason: string;
}

/** An event that could not be read at all: kept raw, listed, and never in its neighbours' way (I-06). */
export interface UnreadableEvent {
  readonly type: 'unreadable';
  readonly account: string | null;
  readonly address: string | null;
  readonly reason: string;
  /** A webhook's body that holds this event alone, for `parse` to read again. */
  readonly raw: string;
}

export type InboundEvent =
  MessageEvent | StatusEvent | ReactionEvent | EditEvent | TroubleEvent | IgnoredEvent | UnreadableEvent;

/** A webhook as it came in. */
export interface WebhookRequest {
  /** Path with query, exactly as received. */
  readonly pathAndQuery: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** Words for a failed send: `code` names the sentence `failed.<code>` in `locales/`. */
export interface SendFailure {
  readonly code: string;
  readonly providerCode: string | null;
}

export interface OutboundAttachment {
  readonly kind: MediaKind;
  readonly contentType: string;
  readonly name: string;
  readonly size: number;
  /** Signed address of ours that the provider may fetch it from. */
  readonly url: string;
  readonly bytes: () => Promise<Buffer>;
}

export interface OutboundTemplate {
  readonly id: string;
  readonly variables: Readonly<Record<string, string>>;
}

export interface OutboundMessage {
  /** Our message id; travels along so that an echo or a status can name it. */
  readonly messageId: string;
  readonly to: string;
  readonly text: string;
  /** One file at most: what takes several is stored and sent as several messages. */
  readonly attachment: OutboundAttachment | null;
  /** Goes instead of text and attachment. */
  readonly template: OutboundTemplate | null;
  readonly replyToProviderId: string | null;
  /** When the contact last opened the window (ISO text), for providers that must say how they reply. */
  readonly windowOpenedAt: string | null;
  readonly now: string;
}

/** A send that was accepted. Everything else is thrown as UpstreamError whose `reason` is a SendFailure code. */
export interface Accepted {
  readonly providerMessageId: string;
  readonly status: 'sent' | 'delivered';
}

export interface HistoryMessage {
  readonly providerMessageId: string;
  readonly direction: 'inbound' | 'outbound';
  readonly text: string;
  /** How many files it has, where the provider tells. */
  readonly files?: number;
  readonly at: string;
  /** Status of an outbound one, when the provider tells. */
  readonly status: DeliveryStatus | null;
  readonly failure: SendFailure | null;
}

export interface HistoryRequest {
  /** ISO text; null for as far back as `conversations` and `messages` allow. */
  readonly since: string | null;
  /** From the page before; null for the first. Opaque to callers. */
  readonly cursor: string | null;
  /** How many conversations, and messages of each, are wanted in all. */
  readonly conversations: number;
  readonly messages: number;
}

/** A part of what the provider remembers, as the events that webhooks would have brought; of one contact, oldest first. */
export interface HistoryPage {
  readonly events: readonly (MessageEvent | StatusEvent)[];
  /** Null when this was the last. */
  readonly next: string | null;
  /** For the progress shown: conversations gone through so far, and of how many, if that is known. */
  readonly done: number;
  readonly total: number | null;
}

/** What the provider says of a channel when it is asked (C14). */
export interface ChannelCheck {
  /** Why our permission is gone, named as in `failed.<reason>`; null while it holds. */
  readonly dead: string | null;
  /** When the permission ends by itself (ISO text), or null. */
  readonly endsAt: string | null;
  /** What we may not do although we need it, in the provider's own names. */
  readonly missing: readonly string[];
  /** Where webhooks go; `restored` when they had been switched off and are on again from now, `off` when they stay off. */
  readonly webhook: WebhookState | 'restored' | 'off';
  /** Whose host they go to in place of ours. */
  readonly elsewhere?: string | undefined;
  /** Names of other apps that get the same messages and may answer them. */
  readonly otherApps: readonly string[];
}

export interface Template {
  readonly id: string;
  readonly name: string;
  readonly language: string;
  /** What the customer will read, with `{{1}}` or `{{name}}` where variables go. */
  readonly body: string;
  /** Every one is required: what is left out would reach the customer as the template's own example. */
  readonly variables: readonly { readonly name: string; readonly example: string | null }[];
  /** Words on the buttons below it. */
  readonly buttons: readonly string[];
  /** Decides what it may cost; null when the provider does not say. */
  readonly category: 'utility' | 'marketing' | 'authentication' | null;
}

export interface Profile {
  readonly name: string | null;
  readonly avatarUrl: string | null;
}

export interface Capabilities {
  /** Length of the reply window in ms. */
  readonly replyWindowMs: number;
  /** Longest text, in UTF-16 units as the provider counts. */
  readonly maxText: number;
  /** What files may be sent; null for none. */
  readonly attachments: AttachmentRules | null;
  readonly templates: boolean;
}

export interface AttachmentRules {
  /** Largest size in bytes and content types of each kind; a type that is in none is refused. A star stands for any word. */
  readonly kinds: Partial<
    Readonly<Record<MediaKind, { readonly maxBytes: number; readonly types: readonly string[] }>>
  >;
  /** Kinds that a text may travel with; with all others the text goes as a message of its own. */
  readonly captions: readonly MediaKind[];
}

/** Where a media download may go and which credentials its first host gets (C6). */
export interface MediaRules {
  /** May this host be fetched from? Host in lower case, without port. */
  readonly allows: (host: string) => boolean;
  /** Headers for exactly this address; empty for every host that must not see our credentials. */
  readonly headersFor: (url: URL) => Readonly<Record<string, string>>;
  /** No file of this provider's is larger: what is, is not its contact's. */
  readonly maxBytes: number;
}

export interface Provider {
  readonly name: ProviderName;
  readonly capabilities: Capabilities;
  /** Whose a webhook says it is, before anything is proven; null when the app's own secret proves it. */
  claim(request: WebhookRequest): { account: string; address: string } | null;
  /** Checks the signature over the bytes as they came and the configured public address (C3). */
  verify(request: WebhookRequest, credentials: Credentials | null): boolean;
  /** Vendor JSON or form to events. Never throws: what it cannot read becomes `unreadable`, what it does not know `unsupported`. */
  parse(request: { body: Buffer; pathAndQuery: string }): InboundEvent[];
  send(channel: ChannelAccess, message: OutboundMessage): Promise<Accepted>;
  /** How many messages of this kind one sender, by its address, may send in a second; less than 1 for one in several seconds. */
  perSecond(address: string, kind: MessageKind): number;
  mediaRules(channel: ChannelAccess): MediaRules;
  /** Where a message's files are now, in their order, for a provider whose addresses end; none when it no longer tells. */
  currentMedia?(channel: ChannelAccess, providerMessageId: string): Promise<RemoteMedia[]>;
  /** Messages with this contact since a time, newest first; used to settle a send whose outcome is unknown (C8). */
  recentMessages(channel: ChannelAccess, contactAddress: string, since: string): Promise<HistoryMessage[]>;
  /** Name and picture, or nulls when the provider refuses; throws UpstreamError when asking again may help. */
  profile?(channel: ChannelAccess, contactAddress: string): Promise<Profile>;
  /** What the provider remembers of this channel, newest conversations first (C2, C13). */
  history?(channel: ChannelAccess, request: HistoryRequest): Promise<HistoryPage>;
  /** Shows the contact that his messages were seen, or that somebody types. */
  hint?(channel: ChannelAccess, contactAddress: string, what: 'seen' | 'typing'): Promise<void>;
  /** Looks whether everything that a channel needs is there, and mends what can be mended without a person. */
  check?(channel: ChannelAccess): Promise<ChannelCheck>;
  /** Approved templates. */
  templates?(channel: ChannelAccess): Promise<Template[]>;
  /** Stops the provider from sending us webhooks of this channel. */
  disconnect?(channel: ChannelAccess): Promise<void>;
}

export interface WhatsappSender {
  readonly sid: string;
  /** `whatsapp:+…` */
  readonly address: string;
  readonly name: string;
  readonly online: boolean;
}

/**
 * What became of telling the provider our webhook addresses: `foreign` when somebody else's stand there, `service` when a
 * Messaging Service takes the messages before they get to any address.
 */
export type WebhookState = 'set' | 'manual' | 'foreign' | 'service';

export interface WebhookSetup {
  readonly webhook: WebhookState;
  /** The host of somebody else's address, where that stands. */
  readonly elsewhere?: string;
}

export interface TwilioLogin {
  readonly accountSid: string;
  readonly authToken: string;
}

/** An account that a sign-in leads to: its own, or a subaccount of it. */
export interface WhatsappAccount extends TwilioLogin {
  readonly name: string;
}

export interface WhatsappProvider extends Provider {
  /** Throws UpstreamError `refused` with reason `credentials_rejected` when the account does not take them. */
  checkCredentials(credentials: TwilioLogin): Promise<{ name: string }>;
  /** Active subaccounts, each with a sign-in of its own: Twilio signs with it what concerns their senders. */
  subaccounts(credentials: TwilioLogin): Promise<WhatsappAccount[]>;
  listSenders(credentials: TwilioLogin): Promise<WhatsappSender[]>;
  /** Whether this is the vendor's own number for trying it out: everybody's, and in nobody's list. */
  isTryOut(address: string): boolean;
  /** Tells Twilio where to send; leaves an address of somebody else alone unless it is to be taken over. */
  setWebhooks(credentials: TwilioLogin, senderSid: string, options?: { takeOver?: boolean }): Promise<WebhookSetup>;
}

export interface MessengerPage {
  readonly id: string;
  readonly name: string;
  readonly token: string;
  /** What is missing for it to be connected, e.g. `tasks`; null when nothing is. */
  readonly missing: string | null;
}

export interface MessengerProvider extends Provider {
  /** The login dialog's address for a `state`. */
  authorizeUrl(state: string): string;
  /** A code from the dialog to the person and his Pages. Throws UpstreamError with reason `permissions_missing` naming them. */
  finishLogin(code: string): Promise<{ facebookUserId: string; pages: MessengerPage[] }>;
  subscribe(page: { id: string; token: string }): Promise<void>;
  /** Who removed the app or asks for the deletion of his data; null when it is not signed by Meta. */
  signedPerson(signedRequest: string): string | null;
  /** The answer to Meta's GET check, or null to refuse it. */
  handshake(query: Readonly<Record<string, string | string[] | undefined>>): string | null;
}

export interface Providers {
  readonly whatsapp: WhatsappProvider;
  /** Null when Messenger is switched off. */
  readonly messenger: MessengerProvider | null;
}

/** What a provider is built with. */
export interface ProviderDeps {
  readonly send: Send;
  /** The app's own public address. */
  readonly publicUrl: string;
}
