// The vendor's client, sending through our HTTP door. Made per call: it holds credentials and must not be shared.
import type { Twilio } from 'twilio';
import type { ChannelAccess } from '../provider.ts';
import { twilioFailure } from './errors.ts';
import type { WhatsappSettings } from './settings.ts';

export interface TwilioAccount {
  readonly accountSid: string;
  readonly authToken: string;
}

/** What the SDK hands to its HTTP client (twilio 6.2.0, base/RequestClient). */
interface SdkRequest {
  method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  uri: string;
  username?: string;
  password?: string;
  headers?: Record<string, string>;
  params?: Record<string, unknown>;
  data?: Record<string, unknown>;
}

/** The SDK costs some 170 ms and memory to load, so it is loaded when it is first needed. */
export async function twilioClient(settings: WhatsappSettings, account: TwilioAccount): Promise<Twilio> {
  const { default: twilio } = await import('twilio');
  return twilio(account.accountSid, account.authToken, {
    httpClient: { request: (request: SdkRequest) => throughOurDoor(settings, account, request) } as never,
    logLevel: 'error',
  });
}

export function accountOf(channel: ChannelAccess): TwilioAccount {
  return { accountSid: channel.account, authToken: channel.credentials.authToken ?? '' };
}

async function throughOurDoor(settings: WhatsappSettings, account: TwilioAccount, request: SdkRequest) {
  const url = new URL(request.uri);
  for (const [name, value] of pairs(request.params)) url.searchParams.append(name, value);
  const address = settings.apiUrl === null ? url.href : settings.apiUrl + url.pathname + url.search;
  const method = request.method.toUpperCase() as 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  const json = Object.entries(request.headers ?? {}).some(
    ([name, value]) => /^content-type$/i.test(name) && /json/.test(value),
  );
  const response = await settings.send({
    service: 'twilio',
    method,
    url: address,
    headers: {
      authorization: basic(account),
      accept: 'application/json',
      ...(request.data ? { 'content-type': json ? 'application/json' : 'application/x-www-form-urlencoded' } : {}),
    },
    ...(request.data
      ? { body: json ? JSON.stringify(request.data) : new URLSearchParams(pairs(request.data)).toString() }
      : {}),
    timeoutMs: 15_000,
  });
  if (response.status >= 400 || response.status < 200) throw twilioFailure(response, method);
  return { statusCode: response.status, body: response.json ?? {}, headers: response.headers };
}

export function basic(account: TwilioAccount): string {
  return `Basic ${Buffer.from(`${account.accountSid}:${account.authToken}`).toString('base64')}`;
}

function pairs(values: Record<string, unknown> | undefined): [string, string][] {
  return Object.entries(values ?? {}).flatMap(([name, value]): [string, string][] => {
    if (value === undefined || value === null) return [];
    return (Array.isArray(value) ? value : [value]).map((item) => [
      name,
      item instanceof Date ? item.toISOString() : String(item),
    ]);
  });
}
