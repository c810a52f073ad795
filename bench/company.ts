// The server as it ships beside the vendors' stand-ins, and a company in it that uses it: where every measurement begins.
import { installFor, type Rep } from '../sandbox/demo/rep.ts';
import type { Company } from '../sandbox/pipedrive/state.ts';
import { startSandbox, type Sandbox } from '../sandbox/sandbox.ts';
import { freePort, startServer, type Server } from './processes.ts';

export interface CompanyOptions {
  readonly databaseUrl: string;
  readonly mediaFolder: string;
}

export interface MeasuredCompany {
  readonly sandbox: Sandbox;
  readonly company: Company;
  /** The process of the moment. */
  readonly server: () => Server;
  /** Ends the server, lets `between` work on what it left, and starts it again. */
  restart<T>(between: () => Promise<T>): Promise<T>;
  rep(name: string, admin?: boolean): Promise<Rep>;
  stop(): Promise<void>;
}

export async function startCompany(options: CompanyOptions): Promise<MeasuredCompany> {
  const sandbox = await startSandbox({ appUrl: `http://127.0.0.1:${await freePort()}`, now: Date.now });
  const environment = {
    ...sandbox.env(),
    DATABASE_URL: options.databaseUrl,
    MEDIA_URL: `file:${options.mediaFolder}`,
    LOG_LEVEL: 'warn',
  };
  const start = async (): Promise<Server> => {
    const started = await startServer('dist/main.js', environment, '/health/ready');
    sandbox.setAppUrl(started.url);
    return started;
  };
  let server = await start();
  const company = sandbox.pipedrive.addCompany({ name: 'Nordtak Solar', domain: 'nordtak' });
  return {
    sandbox,
    company,
    server: () => server,
    restart: async (between) => {
      await server.stop();
      const result = await between();
      server = await start();
      return result;
    },
    rep: (name, admin = false) => installFor(sandbox, sandbox.pipedrive.addUser(company, { name, admin })),
    stop: async () => {
      await server.stop();
      await sandbox.stop();
    },
  };
}

/** A WhatsApp number of this rep. */
export async function connectNumber(
  sandbox: Sandbox,
  owner: Rep,
  sender: string,
  visibility: 'shared' | 'private' = 'shared',
): Promise<{ channelId: string; account: { readonly sid: string; readonly authToken: string } }> {
  const account = sandbox.twilio.addAccount({ name: 'Nordtak' });
  sandbox.twilio.addSender(account, sender, { name: `WhatsApp ${sender}` });
  const { id } = await owner.call<{ id: string }>('POST', '/api/channels/whatsapp', {
    accountSid: account.sid,
    authToken: account.authToken,
    sender,
    visibility,
  });
  return { channelId: id, account };
}
