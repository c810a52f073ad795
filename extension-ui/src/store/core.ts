// What all parts of the store stand on: the state, who hears of its changes, and the one short word at the bottom of the screen.
import type { Events, Me } from '../../../src/web/contract.ts';
import { ApiError, OfflineError, type Api } from '../api.ts';
import { createNewest, type Newest } from '../newest.ts';
import { readChoices, readDrafts } from '../remembered.ts';
import type { State } from '../state.ts';
import { t } from '../texts.ts';

/** News that this user is to be told of. */
export type Notice = Events['notification'];

export interface Core {
  readonly api: Api;
  readonly newest: Newest;
  get(): State;
  /** Changes that come together are drawn together. */
  set(patch: Partial<State>): void;
  subscribe(hear: () => void): () => void;
  /** With `undo` it offers to take something back; `act` is what that button says when it is not "Undo". */
  toast(words: string, undo?: (() => void) | null, isError?: boolean, act?: string | null): void;
  dismissToast(): void;
  /** While it is pointed at or has the focus, it stays. */
  holdToast(): void;
  releaseToast(): void;
  /** Says in words why something could not be done. */
  explain(error: unknown): void;
}

const undoMs = 10_000;

export function createCore(api: Api, me: Me): Core {
  let state: State = {
    me,
    users: [],
    channels: [],
    conversations: new Map(),
    counts: null,
    section: 'unassigned',
    sort: 'newest',
    channelId: null,
    query: '',
    list: { ids: [], cursor: null, state: 'loading', settled: 0 },
    selected: null,
    absent: null,
    threads: new Map(),
    drafts: readDrafts(me.user.id),
    uploads: new Map(),
    savedReplies: null,
    presence: new Map(),
    newerReply: null,
    toast: null,
    endingSoon: 0,
    choices: readChoices(me.user.id),
    offline: null,
    backAt: null,
    updatedAt: Date.now(),
    clockOffset: Date.parse(me.serverTime) - Date.now(),
  };
  const hearers = new Set<() => void>();
  let told = false;
  const set = (patch: Partial<State>): void => {
    state = { ...state, ...patch };
    if (told) return;
    told = true;
    queueMicrotask(() => {
      told = false;
      hearers.forEach((hear) => hear());
    });
  };

  let timer: ReturnType<typeof setTimeout> | undefined;
  const holdToast = (): void => clearTimeout(timer);
  const dismissToast = (): void => set({ toast: null });
  const releaseToast = (): void => {
    clearTimeout(timer);
    timer = setTimeout(dismissToast, undoMs);
  };
  const toast: Core['toast'] = (words, undo = null, isError = false, act = null) => {
    set({ toast: { words, undo, act, isError } });
    releaseToast();
  };
  const explain = (error: unknown): void => {
    if (error instanceof OfflineError) toast(t('net.noAnswer'), null, true);
    else toast(error instanceof ApiError && error.message ? error.message : t('error.generic', { id: '' }), null, true);
  };

  return {
    api,
    newest: createNewest(),
    get: () => state,
    set,
    subscribe: (hear) => {
      hearers.add(hear);
      return () => void hearers.delete(hear);
    },
    toast,
    dismissToast,
    holdToast,
    releaseToast,
    explain,
  };
}

export function put<K, V>(map: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> {
  return new Map(map).set(key, value);
}

export function without<K, V>(map: ReadonlyMap<K, V>, key: K): ReadonlyMap<K, V> {
  const copy = new Map(map);
  copy.delete(key);
  return copy;
}
