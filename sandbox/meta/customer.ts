// People with Messenger: what they write, press, react to and read becomes an event of the Page they speak with.
import { afterSend, contentOf, deliver, read } from './outbound.ts';
import { emit } from './webhooks.ts';
import {
  idFor,
  newMid,
  pageInboxAppId,
  psidOf,
  threadOf,
  type MetaAttachment,
  type MetaDelivery,
  type MetaFile,
  type MetaHuman,
  type MetaMessage,
  type MetaPage,
  type MetaState,
} from './state.ts';

export interface Addressed {
  /** Which Page; the first one when left out. */
  to?: MetaPage;
}

export interface Writing extends Addressed {
  replyTo?: string;
  /** Further fields of `message`, such as `quick_reply` or `referral`. */
  fields?: object;
}

export interface Written {
  mid: string;
  /** Null when nobody is subscribed. */
  delivery: MetaDelivery | null;
}

/** Somebody with Messenger, to be played by a test or by the phone page. */
export interface MessengerCustomer {
  readonly name: string;
  readonly human: MetaHuman;
  psid(page?: MetaPage): string;
  /** What Pages sent, in order. */
  readonly inbox: readonly MetaMessage[];
  thread(page?: MetaPage): readonly MetaMessage[];
  writes(text: string, writing?: Writing): Promise<Written>;
  sendsPhoto(photo: Omit<MetaFile, 'name'> & { name?: string }, writing?: Writing): Promise<Written>;
  sendsFiles(files: readonly { type: MetaAttachment['type']; file: MetaFile }[], writing?: Writing): Promise<Written>;
  reacts(mid: string, emoji: string | null, to?: Addressed): Promise<MetaDelivery | null>;
  edits(mid: string, text: string, numEdit?: number, to?: Addressed): Promise<MetaDelivery | null>;
  /** Presses a button, such as Get Started. */
  presses(title: string, payload: string, to?: Addressed): Promise<Written>;
  /** Opens the chat once: everything there becomes read. */
  reads(page?: MetaPage): Promise<MetaDelivery | null>;
  /** What was sent reaches the phone; for tests with `autoDeliver` off. */
  receives(page?: MetaPage): Promise<MetaDelivery | null>;
  blocks(page?: MetaPage): void;
}

/** `reaction` beside the emoji (message_reactions reference). */
const reactionWords: Readonly<Record<string, string>> = {
  '❤️': 'love',
  '❤': 'love',
  '👍': 'like',
  '👎': 'dislike',
  '😆': 'smile',
  '😮': 'wow',
  '😢': 'sad',
  '😠': 'angry',
};

export function customerOf(state: MetaState, human: MetaHuman): MessengerCustomer {
  const pageFor = (page: MetaPage | undefined) => {
    const found = page ?? [...state.pages.values()][0];
    if (!found) throw new Error('There is no Page in this sandbox');
    return found;
  };
  const happen = (page: MetaPage, field: string, what: object, opens: boolean) => {
    const at = state.now();
    const psid = psidOf(state, human, page);
    if (opens) state.lastOpening.set(`${page.id} ${psid}`, at);
    return emit(state, page, field, { sender: { id: psid }, recipient: { id: page.id }, timestamp: at, ...what });
  };
  const say = async (
    page: MetaPage,
    text: string,
    attachments: MetaAttachment[],
    writing: Writing,
  ): Promise<Written> => {
    const message = newMessage(state, page, psidOf(state, human, page), text, attachments, writing.replyTo ?? null);
    const content = { mid: message.mid, ...contentOf(state, message), ...writing.fields };
    return { mid: message.mid, delivery: await happen(page, 'messages', { message: content }, true) };
  };
  const attach = (type: MetaAttachment['type'], file: MetaFile): MetaAttachment => ({
    id: idFor(newMid()),
    type,
    file,
  });
  return {
    name: human.name,
    human,
    psid: (page) => psidOf(state, human, pageFor(page)),
    get inbox() {
      const psids = new Set(human.psids.values());
      return [...state.messages.values()].filter((each) => psids.has(each.psid) && each.direction === 'outbound');
    },
    thread: (page) => threadOf(state, pageFor(page).id, psidOf(state, human, pageFor(page))),
    writes: (text, writing = {}) => say(pageFor(writing.to), text, [], writing),
    sendsPhoto: (photo, writing = {}) =>
      say(pageFor(writing.to), '', [attach('image', { name: 'photo.jpg', ...photo })], writing),
    sendsFiles: (files, writing = {}) =>
      say(
        pageFor(writing.to),
        '',
        files.map(({ type, file }) => attach(type, file)),
        writing,
      ),
    reacts(mid, emoji, to = {}) {
      const message = state.messages.get(mid);
      const before = message?.reaction ?? null;
      if (message) message.reaction = emoji;
      state.changed();
      const shown = emoji ?? before ?? '❤️';
      const action = emoji === null ? 'unreact' : 'react';
      const reaction = { reaction: reactionWords[shown] ?? 'other', emoji: shown, action, mid };
      return happen(pageFor(to.to), 'message_reactions', { reaction }, emoji !== null);
    },
    edits(mid, text, numEdit = 1, to = {}) {
      const message = state.messages.get(mid);
      if (message) message.text = text;
      state.changed();
      return happen(pageFor(to.to), 'message_edits', { message_edit: { mid, text, num_edit: numEdit } }, false);
    },
    async presses(title, payload, to = {}) {
      const mid = newMid();
      return {
        mid,
        delivery: await happen(pageFor(to.to), 'messaging_postbacks', { postback: { mid, title, payload } }, true),
      };
    },
    reads: (page) => read(state, pageFor(page), psidOf(state, human, pageFor(page))),
    receives: (page) => deliver(state, pageFor(page), psidOf(state, human, pageFor(page))),
    blocks(page) {
      human.blocked.add(pageFor(page).id);
    },
  };
}

function newMessage(
  state: MetaState,
  page: MetaPage,
  psid: string,
  text: string,
  attachments: MetaAttachment[],
  replyToMid: string | null,
): MetaMessage {
  const message: MetaMessage = {
    mid: newMid(),
    pageId: page.id,
    psid,
    direction: 'inbound',
    text,
    attachments,
    at: state.now(),
    appId: null,
    metadata: null,
    replyToMid,
    delivered: true,
    read: false,
    reaction: null,
  };
  state.messages.set(message.mid, message);
  state.changed();
  return message;
}

/** Somebody answers from the Page's own inbox: our app only hears the echo. */
export async function sendFromPageInbox(
  state: MetaState,
  page: MetaPage,
  human: MetaHuman,
  text: string,
): Promise<MetaMessage> {
  const message = newMessage(state, page, psidOf(state, human, page), text, [], null);
  Object.assign(message, {
    direction: 'outbound',
    appId: pageInboxAppId,
    delivered: false,
  } satisfies Partial<MetaMessage>);
  await afterSend(state, page, human, message);
  return message;
}
