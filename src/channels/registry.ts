// The list of providers.
import type { Send } from '../base/http.ts';
import { createMessenger } from './messenger/provider.ts';
import type { MessengerSettings } from './messenger/settings.ts';
import type { Providers } from './provider.ts';
import { createWhatsapp } from './whatsapp/provider.ts';

export function createProviders(settings: {
  send: Send;
  publicUrl: string;
  meta: MessengerSettings | null;
  twilioApiUrl: string | null;
}): Providers {
  const { send, publicUrl } = settings;
  return {
    whatsapp: createWhatsapp({ send, publicUrl, apiUrl: settings.twilioApiUrl }),
    messenger: settings.meta === null ? null : createMessenger({ send, publicUrl, ...settings.meta }),
  };
}
