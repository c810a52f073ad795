// All stand-ins at once: a local Pipedrive, Meta and Twilio, a mail server and a push service, the customer's phone, and the
// settings that point the app at them.
import { startConsole, type ConsolePages } from './console/console.ts';
import { createFaults, type Faults } from './faults.ts';
import { startMail, type MailSandbox } from './mail.ts';
import { startMeta, type MetaSandbox } from './meta.ts';
import { startPipedrive, type PipedriveSandbox } from './pipedrive.ts';
import { startPush, type PushSandbox } from './push.ts';
import { startTwilio, type TwilioSandbox } from './twilio.ts';

export interface SandboxOptions {
  /** The app's PUBLIC_URL, if it is known already; else `setAppUrl` before anything is called. */
  appUrl?: string;
  /** Any that is left out is a free one. */
  ports?: {
    pipedrive?: number;
    meta?: number;
    twilio?: number;
    twilioMedia?: number;
    console?: number;
    mail?: number;
    push?: number;
  };
  now?: () => number;
}

export interface Sandbox {
  readonly pipedrive: PipedriveSandbox;
  readonly meta: MetaSandbox;
  readonly twilio: TwilioSandbox;
  readonly mail: MailSandbox;
  readonly push: PushSandbox;
  /** Start page and the customer's phone. */
  readonly console: ConsolePages;
  readonly faults: Faults;
  /** Everything the app may call. */
  readonly origins: readonly string[];
  appUrl(): string;
  setAppUrl(url: string): void;
  /** The app's settings that point it here (PUBLIC_URL included); database and port are the caller's. */
  env(): Record<string, string>;
  /** Waits for webhooks and callbacks on their way. */
  settled(): Promise<void>;
  stop(): Promise<void>;
}

const pipedriveApp = { clientId: 'sandbox-client', clientSecret: 'sandbox-client-secret-5c1e0b7f94' };
const metaApp = {
  id: '812345670912345',
  secret: '5f0c6a2e9b7d41c38e6a1d4f7b2c9038',
  verifyToken: 'sandbox-verify-token',
  name: 'Messaging inbox',
};

export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const faults = createFaults();
  const ports = options.ports ?? {};
  const now = options.now ?? Date.now;
  let known = options.appUrl;
  const appUrl = () => {
    if (known === undefined) throw new Error('The sandbox does not know yet where the app is: call setAppUrl first');
    return known;
  };
  const redirectUri = () => `${appUrl()}/oauth/callback`;
  const [pipedrive, meta, twilio, mail, push] = await Promise.all([
    startPipedrive({ ...pipedriveApp, redirectUri, appUrl, faults, now, ...portOf(ports.pipedrive) }),
    startMeta({ app: metaApp, appUrl, faults, now, ...portOf(ports.meta) }),
    startTwilio({
      faults,
      now,
      ...portOf(ports.twilio),
      ...(ports.twilioMedia === undefined ? {} : { mediaPort: ports.twilioMedia }),
    }),
    startMail({ now, ...portOf(ports.mail) }),
    startPush({ faults, ...portOf(ports.push) }),
  ]);
  const pages = await startConsole({
    twilio,
    meta,
    mail,
    appUrl,
    pipedriveUrl: pipedrive.url,
    ...portOf(ports.console),
  });
  return {
    pipedrive,
    meta,
    twilio,
    mail,
    push,
    console: pages,
    faults,
    origins: [pipedrive.url, meta.url, twilio.url, twilio.mediaUrl, push.url],
    appUrl,
    setAppUrl(url) {
      known = url.replace(/\/+$/, '');
    },
    env: () => ({
      PUBLIC_URL: appUrl(),
      PIPEDRIVE_CLIENT_ID: pipedriveApp.clientId,
      PIPEDRIVE_CLIENT_SECRET: pipedriveApp.clientSecret,
      PIPEDRIVE_OAUTH_URL: pipedrive.url,
      PIPEDRIVE_API_URL: pipedrive.url,
      META_APP_ID: metaApp.id,
      META_APP_SECRET: metaApp.secret,
      META_VERIFY_TOKEN: metaApp.verifyToken,
      META_GRAPH_URL: meta.url,
      META_LOGIN_URL: meta.url,
      TWILIO_API_URL: twilio.url,
      MEDIA_EXTRA_HOSTS: [...twilio.mediaHosts, ...meta.mediaHosts, push.host].join(','),
      SMTP_URL: mail.url,
      MAIL_FROM: 'Messaging inbox <inbox@sandbox.example>',
      VAPID_PUBLIC_KEY: push.vapid.publicKey,
      VAPID_PRIVATE_KEY: push.vapid.privateKey,
      VAPID_SUBJECT: push.vapid.subject,
    }),
    async settled() {
      await Promise.all([pipedrive.settled(), meta.settled(), twilio.settled(), pipedrive.leadsInbox.settled()]);
    },
    async stop() {
      await Promise.all([pages.stop(), pipedrive.stop(), meta.stop(), twilio.stop(), mail.stop(), push.stop()]);
    },
  };
}

function portOf(port: number | undefined): { port?: number } {
  return port === undefined ? {} : { port };
}
