// The dialog behind the bell: four triggers by two ways, and a test of each way that says why it cannot arrive (N1, N2).
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { NotificationSettings, NotificationTest } from '../../../src/web/contract.ts';
import { browserName, hearWorker, permission, subscribe } from '../desktop-notices.ts';
import { readNoticeOptions, writeNoticeOptions } from '../notice-options.ts';
import { Dialog } from '../parts/dialog.tsx';
import { Icon } from '../parts/icon.tsx';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';
import { useStore } from '../use-store.ts';
import '../notices.css';

type Way = 'desktop' | 'email';
const ways: readonly Way[] = ['desktop', 'email'];
const triggers = ['mine', 'others', 'unassigned', 'assigned'] as const;

/** How a test stands: not begun, on its way, arrived, or why not. */
type Test =
  | { readonly state: 'idle' | 'sending' | 'arrived' }
  | { readonly state: 'failed'; readonly reason: NotificationTest['reason'] | Local; readonly message: string };
/** Reasons that only the browser knows. */
type Local = 'blocked' | 'impossible' | 'not_shown' | 'offline' | 'sent_elsewhere';

/** So long a pushed test may take until this page has heard of it. */
const arrivalMs = 10_000;

export interface NotificationsDialogProps {
  readonly store: Store;
  /** The full page can ask the browser; a frame inside Pipedrive cannot. */
  readonly kind: 'window' | 'page';
  readonly onClose: () => void;
}

export function NotificationsDialog({ store, kind, onClose }: NotificationsDialogProps) {
  const saved = useStore(store, (state) => state.me.notifications);
  const pushKey = useStore(store, (state) => state.me.ways.pushKey);
  const [wanted, setWanted] = useState<NotificationSettings>(saved);
  const [options, setOptions] = useState(readNoticeOptions);
  const [tests, setTests] = useState<Record<Way, Test>>({
    desktop: kind === 'page' && permission() === 'denied' ? blocked() : { state: 'idle' },
    email: { state: 'idle' },
  });
  const [saving, setSaving] = useState(false);
  const settle = (way: Way, test: Test): void => setTests((before) => ({ ...before, [way]: test }));

  const subscribeHere = async (): Promise<Test | null> => {
    if (kind !== 'page' || pushKey === null) return null;
    const outcome = await subscribe(pushKey, store.actions.subscribeBrowser);
    if (outcome === 'granted') return null;
    return outcome === 'impossible' ? failed('impossible', t('notify.why.impossible')) : blocked();
  };
  const testDesktop = async (anyway: boolean): Promise<Test> => {
    const refused = await subscribeHere();
    if (refused) return refused;
    const { selected } = store.get();
    const arrival = arrivals();
    const outcome = await store.actions.testNotification('desktop', anyway ? null : selected);
    if (!outcome.sent) return failed(outcome.reason, outcome.message);
    if (kind === 'window') return failed('sent_elsewhere', t('notify.why.sentElsewhere'));
    return (await arrival.of(outcome.testId)) ? { state: 'arrived' } : failed('not_shown', t('notify.why.notShown'));
  };
  const testEmail = async (): Promise<Test> => {
    const outcome = await store.actions.testNotification('email', null);
    return outcome.sent ? { state: 'arrived' } : failed(outcome.reason, outcome.message);
  };
  const test = (way: Way, anyway = false): void => {
    settle(way, { state: 'sending' });
    void (way === 'desktop' ? testDesktop(anyway) : testEmail())
      .catch(() => failed('offline', t('net.noAnswer')))
      .then((outcome) => settle(way, outcome));
  };
  const save = async (): Promise<void> => {
    setSaving(true);
    writeNoticeOptions(options);
    const done = await store.actions.setNotifications(wanted);
    const asks = Object.values(wanted.desktop).some(Boolean) && permission() === 'ask';
    const refused = done && asks ? await subscribeHere().catch(() => null) : null;
    setSaving(false);
    if (refused) settle('desktop', refused);
    else if (done) onClose();
  };

  return (
    <Dialog
      kind="settings"
      title={t('notify.title')}
      label={t('notify.title')}
      onClose={onClose}
      footer={
        <>
          <button type="button" class="button" onClick={onClose}>
            {t('cancel')}
          </button>
          <button type="button" class="button primary" disabled={saving} onClick={() => void save()}>
            {t('notify.save')}
          </button>
        </>
      }
    >
      <table class="notify-table">
        <thead>
          <tr>
            <th scope="col">{t('notify.tell')}</th>
            {ways.map((way) => (
              <th key={way} scope="col" id={`notify-${way}`}>
                {t(`notify.way.${way}`)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {triggers.map((trigger) => (
            <tr key={trigger}>
              <th scope="row" id={`notify-${trigger}`}>
                {t(`notify.trigger.${trigger}`)}
                <small>{t(`notify.trigger.${trigger}.more`)}</small>
              </th>
              {ways.map((way) => (
                <td key={way}>
                  <label>
                    <input
                      type="checkbox"
                      aria-labelledby={`notify-${trigger} notify-${way}`}
                      checked={wanted[way][trigger]}
                      onChange={(event) => {
                        const on = event.currentTarget.checked;
                        setWanted({ ...wanted, [way]: { ...wanted[way], [trigger]: on } });
                      }}
                    />
                  </label>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">{t('notify.tryOut')}</th>
            {ways.map((way) => (
              <td key={way}>
                <TestButton way={way} test={tests[way]} onTest={() => test(way)} />
              </td>
            ))}
          </tr>
        </tfoot>
      </table>
      <div role="status" aria-live="polite" class="notify-reasons">
        {ways.map((way) => (
          <Reason key={way} way={way} test={tests[way]} onAnyway={() => test(way, true)} />
        ))}
      </div>
      <fieldset class="notify-options">
        <legend>{t('notify.here')}</legend>
        <Option
          label={t('notify.sound')}
          checked={options.sound}
          onChange={(sound) => setOptions({ ...options, sound })}
        />
        {kind === 'window' && (
          <Option
            label={t('notify.popUp')}
            checked={options.popUp}
            onChange={(popUp) => setOptions({ ...options, popUp })}
          />
        )}
      </fieldset>
    </Dialog>
  );
}

function failed(reason: Extract<Test, { state: 'failed' }>['reason'], message: string): Test {
  return { state: 'failed', reason, message };
}

function blocked(): Test {
  return failed('blocked', t('notify.blocked', { browser: browserName() }));
}

/** Listens for a test before it is sent, so that it cannot arrive unheard. */
function arrivals(): { of(testId: string): Promise<boolean> } {
  const seen = new Set<string>();
  const hearers = new Set<() => void>();
  const stop = hearWorker((message) => {
    if (message.kind !== 'shown') return;
    seen.add(message.testId);
    hearers.forEach((hear) => hear());
  });
  return {
    of: (testId) =>
      new Promise((resolve) => {
        const end = (arrived: boolean): void => {
          clearTimeout(timer);
          stop();
          resolve(arrived);
        };
        const timer = setTimeout(() => end(false), arrivalMs);
        const look = (): void => void (seen.has(testId) && end(true));
        hearers.add(look);
        look();
      }),
  };
}

function TestButton({ way, test, onTest }: { way: Way; test: Test; onTest: () => void }) {
  if (test.state === 'arrived') {
    return (
      <span class="pill ok" role="status">
        <Icon name="check" size={14} />
        {t('notify.arrived')}
      </span>
    );
  }
  const sending = test.state === 'sending';
  return (
    <button
      type="button"
      class="button small"
      aria-disabled={sending}
      aria-label={sending ? undefined : t('notify.test.of', { way: t(`notify.way.${way}`) })}
      onClick={() => !sending && onTest()}
    >
      {t(sending ? 'notify.sending' : 'notify.test')}
    </button>
  );
}

/** Why a test did not arrive, and the way out of it. */
function Reason({ way, test, onAnyway }: { way: Way; test: Test; onAnyway: () => void }) {
  const [how, setHow] = useState(false);
  if (test.state !== 'failed') return null;
  const outs: Partial<Record<string, ComponentChildren>> = {
    blocked: (
      <button type="button" class="link-button" aria-expanded={how} onClick={() => setHow(!how)}>
        {t('notify.howToAllow')}
      </button>
    ),
    no_browser: (
      <a class="link-button" href="/" target="_blank" rel="noreferrer noopener">
        {t('notify.openPage')}
      </a>
    ),
    in_focus: (
      <button type="button" class="link-button" onClick={onAnyway}>
        {t('notify.testAnyway')}
      </button>
    ),
  };
  const isCalm = test.reason === 'in_focus' || test.reason === 'sent_elsewhere';
  return (
    <div class={`notify-reason${isCalm ? ' calm' : ''}`}>
      <Icon name={way === 'desktop' ? 'bell-off' : 'circle-alert'} size={14} />
      <p>
        {test.message} {outs[test.reason ?? '']}
        {how && <small>{t('notify.howToAllow.steps', { browser: browserName() })}</small>}
      </p>
    </div>
  );
}

function Option({
  label,
  checked,
  onChange,
}: {
  label: string;
  checked: boolean;
  onChange: (checked: boolean) => void;
}) {
  return (
    <label class="check-line">
      <input type="checkbox" checked={checked} onChange={(event) => onChange(event.currentTarget.checked)} />
      {label}
    </label>
  );
}
