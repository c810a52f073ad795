// What WhatsApp's parts are given: our public address, Twilio's, and the way out.
import type { Send } from '../../base/http.ts';

export interface WhatsappSettings {
  readonly send: Send;
  readonly publicUrl: string;
  /** Replaces the origin of api., content. and messaging.twilio.com; stand-ins only. */
  readonly apiUrl: string | null;
}
