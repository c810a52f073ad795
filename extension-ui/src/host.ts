// The page around us: Pipedrive, through its App Extensions SDK. Absent on the full page. The only importer of the SDK.
import built, { Command, Event, Modal, View } from '@pipedrive/app-extensions-sdk';

export interface Host {
  /** A fresh signed token, good for five minutes. */
  signedToken(): Promise<string>;
  onTheme(hear: (theme: 'light' | 'dark') => void): void;
  /** Whether the floating window or panel is shown. */
  onVisibility(hear: (visible: boolean, context: Record<string, unknown>) => void): void;
  badge(count: number): void;
  openRecord(type: 'person' | 'lead' | 'deal', recordId: string): void;
  /** Pipedrive's own activity window. */
  followUp(subject: string, dealId: string | null): void;
  /** Pipedrive's own window for a new person; it takes no number. */
  newPerson(name: string): void;
  showWindow(context: Record<string, string>): void;
  /** A panel that the user unfolds; in px, within what Pipedrive gives one (100 to 750). */
  grow(height: number): void;
  /** A line at the foot of Pipedrive's page. */
  snackbar(message: string): void;
  closeModal(): void;
}

type SdkClass = typeof import('@pipedrive/app-extensions-sdk').default;

/** What stands in the frame's address; the token is taken out of it at once. */
export interface FrameQuery {
  readonly id: string;
  readonly token: string;
  readonly resource: string | null;
  readonly selectedIds: string | null;
  readonly data: Record<string, string>;
}

export function readFrameQuery(): FrameQuery | undefined {
  const query = new URLSearchParams(location.search);
  const id = query.get('id');
  const token = query.get('token');
  if (!id || !token) return undefined;
  const clean = new URLSearchParams(query);
  clean.delete('token');
  history.replaceState(history.state, '', `${location.pathname}?${clean.toString()}`);
  let data: Record<string, string> = {};
  try {
    data = JSON.parse(query.get('data') ?? '{}') as Record<string, string>;
  } catch {
    // Not ours: opened without data.
  }
  return { id, token, resource: query.get('resource'), selectedIds: query.get('selectedIds'), data };
}

/** Must be called within ten seconds of loading, or Pipedrive never shows the frame. */
export async function connectHost(query: FrameQuery, size?: { height?: number; width?: number }): Promise<Host> {
  // A CommonJS build: a bundler unwraps its default export, a plain module loader does not.
  const Sdk = ((built as { default?: unknown }).default ?? built) as SdkClass;
  const sdk = await new Sdk({ identifier: query.id }).initialize(size ? { size } : {});
  // A command that Pipedrive refuses must never break the screen.
  const quietly = (work: () => Promise<unknown>): void => void work().catch(() => undefined);
  return {
    signedToken: async () => (await sdk.execute(Command.GET_SIGNED_TOKEN)).token,
    onTheme: (hear) => {
      sdk.listen(Event.USER_SETTINGS_CHANGE, ({ data }: { data?: { theme?: string } }) => {
        // The SDK overwrites its own settings with the whole envelope: read the event.
        if (data?.theme) hear(data.theme === 'dark' ? 'dark' : 'light');
      });
    },
    onVisibility: (hear) => {
      sdk.listen(Event.VISIBILITY, ({ data }: { data?: { is_visible: boolean; context?: object } }) => {
        if (data) hear(data.is_visible, (data.context ?? {}) as Record<string, unknown>);
      });
    },
    badge: (count) => quietly(() => sdk.execute(Command.SET_NOTIFICATION, count > 0 ? { number: count } : {})),
    openRecord: (type, recordId) => {
      const view = type === 'person' ? View.CONTACTS : type === 'lead' ? View.LEADS : View.DEALS;
      quietly(() => sdk.execute(Command.REDIRECT_TO, { view, id: type === 'lead' ? recordId : Number(recordId) }));
    },
    followUp: (subject, dealId) =>
      quietly(() =>
        sdk.execute(Command.OPEN_MODAL, {
          type: Modal.ACTIVITY,
          prefill: { subject, ...(dealId ? { deal: Number(dealId) } : {}) },
        } as never),
      ),
    newPerson: (name) =>
      quietly(() => sdk.execute(Command.OPEN_MODAL, { type: Modal.PERSON, prefill: { name } } as never)),
    showWindow: (context) => quietly(() => sdk.execute(Command.SHOW_FLOATING_WINDOW, { context })),
    grow: (height) => quietly(() => sdk.execute(Command.RESIZE, { height })),
    snackbar: (message) => quietly(() => sdk.execute(Command.SHOW_SNACKBAR, { message })),
    closeModal: () => quietly(() => sdk.execute(Command.CLOSE_MODAL)),
  };
}
