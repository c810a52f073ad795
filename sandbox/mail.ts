// A mail server that delivers to nobody: takes mail by SMTP as strictly as a good one, and keeps it to be looked at.
import type { AddressInfo } from 'node:net';
import PostalMime, { type Email } from 'postal-mime';
import { SMTPServer, type SMTPServerDataStream } from 'smtp-server';

export interface CaughtMail {
  readonly id: string;
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string;
  readonly messageId: string;
  readonly text: string;
  readonly html: string;
  /** Names in small letters; of several with one name the first. */
  readonly headers: Readonly<Record<string, string>>;
  readonly raw: string;
  readonly at: string;
}

export interface MailSandbox {
  /** SMTP_URL, with its password. */
  readonly url: string;
  /** What lies in the mailboxes: a mail that was delivered twice lies there once, as most mailboxes keep it. */
  readonly mails: CaughtMail[];
  /** Every delivery that was accepted, doubled ones too. */
  readonly deliveries: { messageId: string; to: readonly string[] }[];
  /** Takes no connection until `comesBack`. */
  goesDown(): Promise<void>;
  comesBack(): Promise<void>;
  /** Refuses this recipient for good, as a mailbox that does not exist. */
  refuses(address: string): void;
  /** Takes the next mail and breaks the connection off before it says so. */
  dropsNextAnswer(): void;
  of(address: string): CaughtMail[];
  stop(): Promise<void>;
}

const user = 'inbox';
const password = 'sandbox-mail-password';
const maxBytes = 10_000_000;

export async function startMail(options: { port?: number; now: () => number }): Promise<MailSandbox> {
  const mails: CaughtMail[] = [];
  const deliveries: MailSandbox['deliveries'] = [];
  const refused = new Set<string>();
  let drops = false;
  let port = options.port ?? 0;
  let server: SMTPServer | undefined;

  const listen = async (): Promise<void> => {
    const next = new SMTPServer({
      disabledCommands: ['STARTTLS'],
      allowInsecureAuth: true,
      authMethods: ['PLAIN', 'LOGIN'],
      size: maxBytes,
      closeTimeout: 100,
      onAuth: (auth, _session, done) => {
        const known = auth.username === user && auth.password === password;
        done(known ? null : answer(535, '5.7.8 Authentication credentials invalid'), known ? { user } : undefined);
      },
      onRcptTo: ({ address }, _session, done) => {
        if (refused.has(address.toLowerCase())) done(answer(550, '5.1.1 The mailbox does not exist'));
        else done();
      },
      onData: (stream, session, done) => {
        void take(stream, session.envelope).then(
          () => {
            if (!drops) return done();
            drops = false;
            for (const connection of next.connections) connection.close();
          },
          (error: unknown) => done(error instanceof Error ? error : new Error('not taken')),
        );
      },
    });
    // A client that breaks off is its own affair.
    next.on('error', () => undefined);
    server = next;
    await new Promise<void>((resolve) => next.listen(port, '127.0.0.1', () => resolve()));
    port = (next.server.address() as AddressInfo).port;
  };

  const take = async (
    stream: SMTPServerDataStream,
    envelope: { mailFrom: false | { address: string }; rcptTo: readonly { address: string }[] },
  ): Promise<void> => {
    const parts: Buffer[] = [];
    for await (const part of stream as AsyncIterable<Buffer>) parts.push(part);
    if (stream.sizeExceeded) throw answer(552, '5.3.4 The message is too big');
    const raw = Buffer.concat(parts).toString('utf8');
    const parsed = await PostalMime.parse(raw);
    requireSound(raw, parsed);
    const to = envelope.rcptTo.map(({ address }) => address);
    const messageId = parsed.messageId ?? '';
    deliveries.push({ messageId, to });
    if (mails.some((known) => known.messageId === messageId && known.to.join() === to.join())) return;
    mails.push({
      id: String(mails.length + 1),
      from: envelope.mailFrom === false ? '' : envelope.mailFrom.address,
      to,
      subject: parsed.subject ?? '',
      messageId,
      text: parsed.text ?? '',
      html: parsed.html ?? '',
      headers: Object.fromEntries(parsed.headers.toReversed().map(({ key, value }) => [key, value])),
      raw,
      at: new Date(options.now()).toISOString(),
    });
  };

  await listen();
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      if (!server) return resolve();
      server.close(() => resolve());
      server = undefined;
    });
  return {
    get url() {
      return `smtp://${user}:${password}@127.0.0.1:${port}`;
    },
    mails,
    deliveries,
    goesDown: close,
    comesBack: listen,
    refuses: (address) => void refused.add(address.toLowerCase()),
    dropsNextAnswer: () => void (drops = true),
    of: (address) => mails.filter(({ to }) => to.includes(address)),
    stop: close,
  };
}

/** What a careful server turns away: no Date, From or Message-ID, lines over 998 characters, bare line feeds (RFC 5321, 5322). */
function requireSound(raw: string, mail: Email): void {
  const names = new Set(mail.headers.map(({ key }) => key));
  for (const name of ['date', 'from', 'message-id', 'to', 'subject', 'mime-version']) {
    if (!names.has(name)) throw answer(554, `5.6.0 The message has no ${name}`);
  }
  if (raw.split('\r\n').some((line) => line.length > 998)) throw answer(554, '5.6.0 A line is too long');
  if (/[^\r]\n/.test(raw)) throw answer(554, '5.6.0 A bare line feed');
  if (!/^<[^\s<>@]+@[^\s<>@]+>$/.test(mail.messageId ?? '')) throw answer(554, '5.6.0 The Message-ID is malformed');
}

function answer(responseCode: number, message: string): Error {
  return Object.assign(new Error(message), { responseCode });
}
