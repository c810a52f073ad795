// What the messaging extension takes from an app and sends to nobody else: checked field by field (omnichannel-integration.specs.yaml).

export interface Attachment {
  id: string;
  type: string;
  url: string;
  name?: string | null;
  size?: number | null;
  preview_url?: string | null;
  link_expires?: boolean;
}

export interface Message {
  id: string;
  status: 'sent' | 'delivered' | 'read' | 'failed';
  created_at: string;
  message: string;
  sender_id: string;
  reply_by?: string | null;
  attachments: Attachment[];
}

export interface Participant {
  id: string;
  name: string;
  role: 'end_user' | 'source_user';
  avatar_url?: string;
  fetch_avatar?: boolean;
  avatar_expires?: boolean;
}

export interface Conversation {
  id: string;
  link: string;
  status: 'open' | 'closed';
  seen: boolean;
  next_messages_cursor?: string | null;
  messages?: Message[];
  participants?: Participant[];
}

export interface Template {
  id: string;
  name: string;
  content: string;
  language: string;
}

type Check = (value: unknown) => boolean;

const text: Check = (value) => typeof value === 'string';
const word: Check = (value) => typeof value === 'string' && value !== '';
const flag: Check = (value) => typeof value === 'boolean';
const time: Check = (value) =>
  typeof value === 'string' &&
  /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?$/.test(value) &&
  !Number.isNaN(Date.parse(value));
const address: Check = (value) => typeof value === 'string' && /^https?:\/\//.test(value) && URL.canParse(value);
const oneOf =
  (...words: string[]): Check =>
  (value) =>
    typeof value === 'string' && words.includes(value);
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const orAbsent =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every((each) => check(each));

/** Every named field fits, and there is no other. */
function shape(fields: Readonly<Record<string, Check>>): Check {
  return (value) => faultsIn(value, fields).length === 0;
}

function faultsIn(value: unknown, fields: Readonly<Record<string, Check>>): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return ['is no object'];
  const given = value as Record<string, unknown>;
  return [
    ...Object.entries(fields)
      .filter(([name, check]) => !check(given[name]))
      .map(([name]) => `${name} is wrong`),
    ...Object.keys(given)
      .filter((name) => !(name in fields))
      .map((name) => `${name} is not known`),
  ];
}

/** The server's own type wants the three nullable ones to be there (its sample refusal). */
const attachment = shape({
  id: word,
  type: (value) => typeof value === 'string' && /^[\w.+-]+\/[\w.+-]+/.test(value),
  url: address,
  name: orNull(text),
  size: orNull((value) => typeof value === 'number' && value >= 0),
  preview_url: orNull(address),
  link_expires: orAbsent(flag),
});

const messageFields = {
  id: word,
  status: oneOf('sent', 'delivered', 'read', 'failed'),
  created_at: time,
  message: text,
  sender_id: word,
  reply_by: orAbsent(orNull(time)),
  attachments: listOf(attachment),
};

const participant = shape({
  id: word,
  name: word,
  role: oneOf('end_user', 'source_user'),
  avatar_url: orAbsent(address),
  fetch_avatar: orAbsent(flag),
  avatar_expires: orAbsent(flag),
});

const conversationFields = {
  id: word,
  link: text,
  status: oneOf('open', 'closed'),
  seen: flag,
  next_messages_cursor: orAbsent(orNull(text)),
  messages: orAbsent(listOf(shape(messageFields))),
  participants: orAbsent(listOf(participant)),
};

export function faultsOfReceived(value: unknown): string[] {
  return faultsIn(value, {
    ...messageFields,
    channel_id: word,
    conversation_id: word,
    conversation_link: orAbsent(address),
  });
}

export function faultsOfChannel(value: unknown): string[] {
  return faultsIn(value, {
    name: word,
    provider_channel_id: word,
    avatar_url: orAbsent(address),
    template_support: orAbsent(flag),
    provider_type: orAbsent(oneOf('facebook', 'whatsapp', 'other')),
  });
}

export function faultsOfMessage(value: unknown): string[] {
  return faultsIn(value, messageFields);
}

export function faultsOfConversation(value: unknown): string[] {
  const faults = faultsIn(value, conversationFields);
  if (faults.length > 0) return faults;
  const { participants = [], messages = [] } = value as Conversation;
  const roles = participants.map(({ role }) => role).sort();
  const ids = new Set(participants.map(({ id }) => id));
  return [
    ...(roles.join() === 'end_user,source_user' ? [] : ['participants must be one of each side']),
    ...(messages.every(({ sender_id }) => ids.has(sender_id)) ? [] : ['a sender is no participant']),
    ...(new Set(messages.map(({ id }) => id)).size === messages.length ? [] : ['a message comes twice']),
  ];
}

export function faultsOfSender(value: unknown): string[] {
  return faultsIn(value, { id: word, name: word, avatar_url: text });
}

export function faultsOfTemplates(value: unknown): string[] {
  return faultsIn(value, { templates: listOf(shape({ id: word, name: word, content: word, language: word })) });
}
