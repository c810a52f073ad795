// All stand-ins together, and the settings that point the app at them.
import { createFaults, type Faults } from './faults.ts';
import { startMeta, type MetaSandbox } from './meta.ts';
import { startPipedrive, type PipedriveSandbox } from './pipedrive.ts';
import { startTwilio, type TwilioSandbox } from './twilio.ts';

export interface SandboxOptions {
  /** Where the app is, if known already. */
  appUrl?: string;
  ports?: { pipedrive?: number; meta?: number; twilio?: number; media?: number };
  now?: () => number;
}

export interface Sandbox {
  readonly pipedrive: PipedriveSandbox;
  readonly meta: MetaSandbox;
  readonly twilio: TwilioSandbox;
  readonly faults: Faults;
  setAppUrl(url: string): void;
  /** Environment of an app that talks to these stand-ins. */
  env(): Record<string, string>;
  /** Waits for webhooks and callbacks that are on their way. */
  settled(): Promise<void>;
  stop(): Promise<void>;
}

const client = { id: 'sandbox-client-id', secret: 'sandbox-client-secret-for-the-app' };
const app = { id: '812345670912345', secret: 'sandbox-app-secret', verifyToken: 'sandbox-verify-token' };

export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const faults = createFaults();
  let appUrl = options.appUrl ?? 'http://127.0.0.1:3000';
  const now = options.now ?? Date.now;
  const { ports = {} } = options;
  const pipedrive = await startPipedrive({
    port: ports.pipedrive ?? 0,
    clientId: client.id,
    clientSecret: client.secret,
    redirectUri: () => `${appUrl}/oauth/callback`,
    appUrl: () => appUrl,
    faults,
    now,
  });
  const meta = await startMeta({
    port: ports.meta ?? 0,
    app: { ...app, redirectUris: () => [`${appUrl}/oauth/meta/callback`] } as never,
    appUrl: () => appUrl,
    faults,
    now,
  });
  const twilio = await startTwilio({ port: ports.twilio ?? 0, mediaPort: ports.media ?? 0, faults, now });
  return {
    pipedrive,
    meta,
    twilio,
    faults,
    setAppUrl: (url) => void (appUrl = url),
    env: () => ({
      PIPEDRIVE_CLIENT_ID: client.id,
      PIPEDRIVE_CLIENT_SECRET: client.secret,
      PIPEDRIVE_OAUTH_URL: pipedrive.url,
      PIPEDRIVE_API_URL: pipedrive.url,
      META_APP_ID: app.id,
      META_APP_SECRET: app.secret,
      META_VERIFY_TOKEN: app.verifyToken,
      META_GRAPH_URL: meta.url,
      META_LOGIN_URL: meta.url,
      TWILIO_API_URL: twilio.url,
      MEDIA_EXTRA_HOSTS: [...twilio.mediaHosts, ...meta.mediaHosts].join(','),
    }),
    settled: async () => {
      await twilio.settled();
      await meta.settled();
    },
    stop: async () => {
      await Promise.all([pipedrive.stop(), meta.stop(), twilio.stop()]);
    },
  };
}
