// What one user is told, by every way: the events of an open window, a browser that takes Web Push, and his mailbox.
import { onTestFinished } from 'vitest';
import type { Me } from '../../src/web/contract.ts';
import type { PushBrowser } from '../../sandbox/push.ts';
import type { CaughtMail } from '../../sandbox/mail.ts';
import { openEvents, type StreamedEvent } from './events.ts';
import { until } from './wait.ts';
import type { TestUser, World } from './world.ts';

export interface Told {
  /** Triggers of the `notification` events of his open window. */
  readonly window: string[];
  /** Triggers of what was pushed to his browser. */
  readonly browser: string[];
  readonly mails: number;
}

export interface Watch {
  readonly user: TestUser;
  readonly browser: PushBrowser;
  events(): StreamedEvent[];
  /** Number of the last event of his open window. */
  last(): number | null;
  mails(): CaughtMail[];
  /** What came since it was last asked. */
  since(): Told;
}

export interface Switches {
  mine: boolean;
  others: boolean;
  unassigned: boolean;
  assigned: boolean;
}
export const all: Switches = { mine: true, others: true, unassigned: true, assigned: true };
export const none: Switches = { mine: false, others: false, unassigned: false, assigned: false };

export async function setSwitches(user: TestUser, desktop: Switches, email: Switches): Promise<void> {
  const answer = await user.call('PUT', '/api/me/notifications', { desktop, email });
  if (answer.status !== 200) throw new Error(`the switches were not set: ${answer.status}`);
}

/** Gives the user a browser that takes notices. */
async function subscribe(here: World, user: TestUser): Promise<PushBrowser> {
  const browser = here.sandbox.push.subscribe();
  const answer = await user.call('PUT', '/api/me/push-subscription', browser.subscription);
  if (answer.status !== 204) throw new Error(`not subscribed: ${answer.status} ${JSON.stringify(answer.body)}`);
  return browser;
}

export async function watch(here: World, user: TestUser): Promise<Watch> {
  const browser = await subscribe(here, user);
  const { changeNumber } = (await user.call<{ changeNumber: number }>('GET', '/api/me')).body;
  const stream = openEvents(here.url, user.token, changeNumber);
  onTestFinished(() => stream.close());
  let [seenEvents, seenPushes, seenMails] = [0, 0, 0];
  const events = () => stream.events.filter(({ name }) => name === 'notification');
  const mails = () => here.sandbox.mail.of(user.pipedrive.email);
  return {
    user,
    browser,
    events,
    last: stream.last,
    mails,
    since: () => {
      const told = {
        window: events()
          .slice(seenEvents)
          .map(({ data }) => String(data.trigger)),
        browser: browser.received.slice(seenPushes).flatMap(({ data }) => {
          const { kind, trigger } = data as { kind: string; trigger?: string };
          return kind === 'notice' ? [String(trigger)] : [];
        }),
        mails: mails().length - seenMails,
      };
      [seenEvents, seenPushes, seenMails] = [events().length, browser.received.length, mails().length];
      return told;
    },
  };
}

/** Lets everything be done that is due, and every stream catch up with the log of changes. */
export async function allTold(here: World, watches: readonly Watch[]): Promise<void> {
  await here.settled();
  // A change that everybody sees: what stands before it has been told by now, or never will be.
  const { body: me } = await here.rep.call<Me>('GET', '/api/me');
  await here.rep.call('PUT', '/api/me/availability', me.availability);
  const { body: after } = await here.rep.call<Me>('GET', '/api/me');
  await until(() => watches.every((each) => (each.last() ?? 0) >= after.changeNumber), 'every stream to catch up');
}
