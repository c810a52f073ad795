// The vendors' sample webhooks and answers, each through our own translation.
import { createHmac } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createProviders } from '../../src/channels/registry.ts';
import type { InboundEvent } from '../../src/channels/provider.ts';

const contracts = join(import.meta.dirname, '../../../shared/contracts');
const appSecret = 'sample-app-secret';

const { whatsapp, messenger } = createProviders({
  send: () => Promise.reject(new Error('samples make no calls')),
  publicUrl: 'https://inbox.example.com',
  meta: {
    appId: '812345670912345',
    appSecret,
    verifyToken: 'sample',
    graphUrl: 'https://graph.facebook.com',
    graphVersion: 'v25.0',
    loginUrl: 'https://www.facebook.com',
    loginConfigId: null,
    humanAgent: false,
  },
  twilioApiUrl: null,
});

function samples(folder: string, start: RegExp): string[] {
  return readdirSync(join(contracts, folder)).filter((name) => start.test(name));
}

function read(folder: string, name: string): unknown {
  return JSON.parse(readFileSync(join(contracts, folder, name), 'utf8'));
}

/** Every event is one we know how to treat; nothing is lost without a word. */
function requireUnderstood(events: readonly InboundEvent[]): void {
  expect(events.length).toBeGreaterThan(0);
  for (const event of events) {
    expect(event.type, JSON.stringify(event)).not.toBe('unreadable');
    if (event.type === 'message') {
      expect(event.providerMessageId).not.toBe('');
      expect(event.contact.address).not.toBe('');
      expect(event.text !== '' || event.media.length > 0 || event.kind !== 'text').toBe(true);
    }
  }
}

describe('Messenger', () => {
  const names = samples('messenger', /^webhook-/);

  test('there are samples', () => expect(names.length).toBeGreaterThan(50));

  test.each(names)('%s is understood, and a changed byte is refused', (name) => {
    const body = Buffer.from(JSON.stringify(read('messenger', name)));
    const signature = `sha256=${createHmac('sha256', appSecret).update(body).digest('hex')}`;
    const request = { pathAndQuery: '/webhooks/messenger', headers: { 'x-hub-signature-256': signature }, body };
    const changed = Buffer.from(body);
    changed[changed.length - 2] = changed[changed.length - 2]! ^ 1;

    expect(messenger!.verify(request, null)).toBe(true);
    expect(messenger!.verify({ ...request, body: changed }, null)).toBe(false);
    requireUnderstood(messenger!.parse(request));
  });
});

describe('WhatsApp', () => {
  const names = samples('twilio', /^(inbound|status)-/);

  test('there are samples', () => expect(names.length).toBeGreaterThan(25));

  test.each(names)('%s is understood', (name) => {
    const { params } = read('twilio', name) as { params: Record<string, string> };
    const body = Buffer.from(new URLSearchParams(params).toString());

    requireUnderstood(
      whatsapp.parse({
        body,
        pathAndQuery: name.startsWith('status') ? '/webhooks/twilio/status' : '/webhooks/twilio',
      }),
    );
  });
});
