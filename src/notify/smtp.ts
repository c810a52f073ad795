// The one door for outgoing mail: plain SMTP by the operator's server, and what its answers ask of us.
import { createTransport } from 'nodemailer';
import { UpstreamError } from '../base/errors.ts';

export interface Mail {
  readonly to: { readonly name: string; readonly address: string };
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  /** Stable over retries: a mail that was taken and not confirmed is recognised by it. */
  readonly messageId: string;
  readonly date: Date;
  /** Where one click ends these mails (RFC 8058); absent for what the user cannot end. */
  readonly unsubscribeUrl?: string;
}

export interface Mailer {
  /** Throws UpstreamError: `refused` when the server will never take it for this address, else `retry`. */
  send(mail: Mail): Promise<void>;
  /** Name after the @ of message ids. */
  readonly host: string;
  /** The address that mails come from: never mailed to (no loops). */
  readonly from: string;
}

export function createMailer(settings: { url: string; from: string }): Mailer {
  const transport = createTransport({
    url: settings.url,
    connectionTimeout: 10_000,
    greetingTimeout: 10_000,
    socketTimeout: 30_000,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const from = /<([^<>]+)>\s*$/.exec(settings.from)?.[1] ?? settings.from.trim();
  return {
    from: from.toLowerCase(),
    host: from.split('@').at(-1)!.toLowerCase(),
    send: async (mail) => {
      try {
        await transport.sendMail({
          from: settings.from,
          to: mail.to,
          subject: mail.subject,
          text: mail.text,
          html: mail.html,
          messageId: mail.messageId,
          date: mail.date,
          headers: {
            // A machine wrote this: no vacation answers, no answers of other machines (RFC 3834, 5; MS-OXCMAIL).
            'Auto-Submitted': 'auto-generated',
            'X-Auto-Response-Suppress': 'All',
            ...(mail.unsubscribeUrl === undefined
              ? {}
              : {
                  'List-Unsubscribe': `<${mail.unsubscribeUrl}>`,
                  'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
                }),
          },
        });
      } catch (cause) {
        throw failureOf(cause);
      }
    },
  };
}

/** 5xx for this recipient or this mail is final; a server that is away, busy or wants another password is tried again. */
function failureOf(cause: unknown): UpstreamError {
  const { code, responseCode, command } = cause as { code?: string; responseCode?: number; command?: string };
  const facts = {
    ...(typeof responseCode === 'number' ? { status: responseCode } : {}),
    // The cause itself is left out: a mail server's words quote addresses, and those must not reach the log.
    reason: typeof code === 'string' && /^[A-Z_]{1,30}$/.test(code) ? code : 'smtp',
  };
  const isFinal = typeof responseCode === 'number' && responseCode >= 500 && code !== 'EAUTH' && command !== 'CONN';
  return new UpstreamError('mail', isFinal ? 'refused' : 'retry', facts);
}
