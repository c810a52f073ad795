// All that an inbox surface knows at one moment; `store.ts` changes it.
import type {
  Channel,
  Colleague,
  Conversation,
  Counts,
  Me,
  Message,
  PrivateChannel,
  SavedReply,
  Section,
  TimelineEntry,
} from '../../src/web/contract.ts';
import { type Waiting } from './outbox.ts';
import { type Choices } from './remembered.ts';
import { type Upload } from './uploads.ts';

export interface Thread {
  readonly messages: readonly Message[];
  /** Id to page back from, or null at the beginning; undefined while nothing is loaded. */
  readonly before: string | null | undefined;
  readonly loading: boolean;
  readonly timeline: readonly TimelineEntry[];
  /** What was the newest message read when the thread was opened: the "new" line stands after it. */
  readonly newAfter: string | null;
}

export interface List {
  readonly ids: readonly string[];
  readonly cursor: string | null;
  readonly state: 'loading' | 'ready' | 'failed';
  /** Counts what this user did himself and what was asked for anew: only that moves rows under a pointer. */
  readonly settled: number;
}

export interface Toast {
  readonly words: string;
  readonly undo: (() => void) | null;
  /** What the button says when it is not "Undo". */
  readonly act: string | null;
  readonly isError: boolean;
}

/** Why a conversation that was asked for cannot be shown. */
export interface Absent {
  readonly id: string;
  /** Whose private channel it is in; null when there is nothing by this id. */
  readonly private: PrivateChannel | null;
}

export interface NewerReply {
  readonly conversationId: string;
  readonly text: string;
  readonly pending: string;
  /** The template that waits instead of words. */
  readonly template: Waiting['template'];
  readonly author: string;
  readonly createdAt: string;
}

export interface State {
  readonly me: Me;
  readonly users: readonly Colleague[];
  readonly channels: readonly Channel[];
  readonly conversations: ReadonlyMap<string, Conversation>;
  readonly counts: Counts | null;
  readonly section: Section;
  readonly sort: 'newest' | 'closing';
  readonly channelId: string | null;
  readonly query: string;
  readonly list: List;
  readonly selected: string | null;
  /** Why the selected one cannot be shown; of one selected before it says nothing. */
  readonly absent: Absent | null;
  readonly threads: ReadonlyMap<string, Thread>;
  readonly drafts: ReadonlyMap<string, string>;
  /** Files on their way into the reply of a conversation. */
  readonly uploads: ReadonlyMap<string, readonly Upload[]>;
  /** Null until somebody wants one. */
  readonly savedReplies: readonly SavedReply[] | null;
  readonly presence: ReadonlyMap<string, readonly { id: string; name: string; typing: boolean }[]>;
  readonly newerReply: NewerReply | null;
  readonly toast: Toast | null;
  /** How many of the section end within four hours. */
  readonly endingSoon: number;
  readonly choices: Choices;
  /** Null while connected. */
  readonly offline: { since: number; nextTryAt: number } | null;
  readonly updatedAt: number;
  /** When a lost connection came back last; null when it never was lost. */
  readonly backAt: number | null;
  /** Server's clock less ours, in ms. */
  readonly clockOffset: number;
}
