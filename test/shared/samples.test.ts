// The vendors' sample webhooks and answers, each through our own translation.
import { createHmac } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createProviders } from '../../src/channels/registry.ts';
import type { InboundEvent } from '../../src/channels/provider.ts';
import { until } from '../support/wait.ts';
import { signedIn, world } from '../support/world.ts';

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

describe('the running app', () => {
  const names = samples('twilio', /^(inbound|status)-/);
  const all = names.map((name) => ({
    name,
    params: (read('twilio', name) as { params: Record<string, string> }).params,
  }));
  const [{ params: any }] = all as [(typeof all)[number]];

  test('all samples of Twilio arrive by signed webhook and show once, sent twice, shuffled, and a day later (C4, C5)', async () => {
    const here = await world();
    const { twilio } = here.sandbox;
    const account = twilio.addAccount({ sid: any.AccountSid!, name: 'Sample' });
    const numbers = new Set(all.map(({ name, params }) => (name.startsWith('status') ? params.From! : params.To!)));
    for (const number of numbers) twilio.addSender(account, number);
    for (const number of numbers) {
      const answer = await here.admin.call('POST', '/api/channels/whatsapp', {
        accountSid: account.sid,
        authToken: account.authToken,
        sender: number,
      });
      expect(answer.status).toBe(201);
    }
    const post = async ({ name, params }: (typeof all)[number]) => {
      const url = `${here.url}/webhooks/twilio${name.startsWith('status') ? '/status' : ''}`;
      const delivery = name.startsWith('status')
        ? await twilio.deliverStatus(params, { url })
        : await twilio.deliver(params, { url });
      expect(delivery?.attempts.at(-1), name).toBe(200);
    };
    const shown = async () => {
      const conversations = await here.admin.section('all');
      const messages = await Promise.all(conversations.map(({ id }) => here.admin.messages(id)));
      return messages.flat().map(({ id, kind, text, details, status }) => ({ id, kind, text, details, status }));
    };

    await Promise.all(
      [...all, ...all].toSorted((left, right) => (left.name.at(-7)! < right.name.at(-7)! ? 1 : -1)).map(post),
    );
    const inbound = new Set(
      all.filter(({ name }) => name.startsWith('inbound')).map(({ params }) => params.MessageSid),
    );
    await until(async () => (await shown()).length >= inbound.size, 'all of them');
    await here.settled();
    const first = await shown();
    here.clock.advance(24 * 3_600_000);
    here.admin.token = (await signedIn(here.url, here.sandbox, here.admin.pipedrive)).token;
    await Promise.all(all.toReversed().map(post));
    await here.settled();

    expect(await shown()).toEqual(first);
    expect(first).toHaveLength(inbound.size);
    expect(
      first
        .map(({ kind, text, details }) =>
          [kind, text.split('\n')[0]!.slice(0, 40), Object.keys(details ?? {})].join(' | '),
        )
        .sort(),
    ).toEqual([
      'audio |  | ',
      'contact |  | ',
      'file |  | ',
      'image |  | ',
      'image | This is the label on the unit | ',
      'location | Meeting point | location',
      'postback | Call me back | ',
      'postback | Thursday 15:00 | ',
      'postback | Yes, book it | ',
      'sticker |  | ',
      'text | 1) Hello team 👋🏽 — we compared both of | ',
      'text | Are you there? | ',
      'text | Have you seen this offer? | forwarded',
      'text | Hello! Can I get more info on this? | referral',
      'text | Hi, is the 12-seat plan still available  | ',
      'text | Merci, à demain | ',
      'text | Oi! Vi o anúncio e quero saber o preço. | ',
      'text | Recebi a proposta | ',
      'text | STOP | ',
      'text | This one, please | ',
      'text | مرحبا، أحتاج إلى عرض سعر | ',
      'unsupported |  | ',
      'video | Noise starts after ten seconds | ',
    ]);
  });
});
