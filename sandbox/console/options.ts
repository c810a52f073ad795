// What the console shows and plays with.
import type { MailSandbox } from '../mail.ts';
import type { MetaSandbox } from '../meta.ts';
import type { TwilioSandbox } from '../twilio.ts';

export interface ConsoleOptions {
  port?: number;
  twilio: TwilioSandbox;
  meta: MetaSandbox;
  mail: MailSandbox;
  appUrl: () => string;
  pipedriveUrl: string;
}
