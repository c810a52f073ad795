// Meta's samples against the whole app: what every event shows in the inbox, whatever the order, the batching and the
// repetition; what every error asks of a send and says to the user; what is signed, and what is not.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createProviders } from '../../src/channels/registry.ts';
import { signature } from '../../sandbox/meta/webhooks.ts';
import en from '../../locales/en.json' with { type: 'json' };
import sv from '../../locales/sv.json' with { type: 'json' };
import type { Channel, Conversation, Message } from '../../src/web/contract.ts';
import { until } from '../support/wait.ts';
import { world, type World } from '../support/world.ts';

const folder = join(import.meta.dirname, '../../../shared/contracts/messenger');
const read = <T>(name: string): T => JSON.parse(readFileSync(join(folder, name), 'utf8')) as T;
const names = (start: string): string[] => readdirSync(folder).filter((name) => name.startsWith(start));

interface Sample {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body?: object;
  readonly body_text?: string;
}
const { pages, psids } = read<{ pages: Record<'A' | 'B', string>; psids: { page_A: string[]; page_B: string[] } }>(
  'index.json',
);

/** Nobody's history is taken over: all that shows came by webhook. */
async function connected(): Promise<World> {
  const here = await world({ environment: { IMPORT_CONVERSATIONS: '0' } });
  const { sandbox, admin } = here;
  const person = sandbox.meta.addPerson({ name: admin.name });
  for (const [name, id] of Object.entries(pages)) sandbox.meta.addPage({ name: `Page ${name}`, id, ownedBy: person });
  await signsIn(here);
  return here;
}

async function signsIn({ sandbox, admin }: World): Promise<void> {
  const [person] = [...sandbox.meta.state.people.values()];
  const begun = await admin.call<{ login: string; authorizeUrl: string }>('POST', '/api/channels/messenger/login');
  await fetch(sandbox.meta.authorize(person!, begun.body.authorizeUrl));
  const pageIds = Object.values(pages);
  const answer = await admin.call('POST', '/api/channels/messenger', { login: begun.body.login, pageIds });
  expect(answer.status).toBe(201);
}

/** A message as the inbox shows it, in a line. */
function line(message: Message): string {
  const { direction, kind, text, attachments, details, reactions, status, author } = message;
  const parts = [
    direction === 'inbound' ? '<' : `> ${author.kind} ${status}`,
    `${kind}${text === '' ? '' : ` “${text.replaceAll('\n', ' / ')}”`}`,
    ...attachments.map(({ kind: file, name }) => `[${file} ${name}]`),
    ...(details === null ? [] : [JSON.stringify(details)]),
    ...(message.replyTo === null ? [] : [`re “${message.replyTo.preview}”`]),
    ...reactions.map(({ emoji }) => emoji),
  ];
  return parts.join(' ');
}

test('every event sample shows as described and once, in any order, batched and repeated', async () => {
  const here = await connected();
  here.expectInLog(/attachment could not be fetched/);
  const { sandbox, clock, admin } = here;
  const events = names('webhook-').map((name) => ({ name, body: read<{ object: string; entry: object[] }>(name) }));
  const post = async (name: string, body: object): Promise<void> => {
    const { attempts } = await sandbox.meta.deliver(body);
    expect(attempts, name).toEqual([200]);
  };

  // An order that has nothing to do with what is in them: replies, reactions and edits come before what they mean.
  for (const { name, body } of [...events].sort((left, right) => weight(left.name) - weight(right.name))) {
    await post(name, body);
  }
  await here.settled();
  const entries = events.filter(({ body }) => body.object === 'page').flatMap(({ body }) => body.entry);
  await post('all in one body', { object: 'page', entry: entries.reverse() });
  for (const { name, body } of events) await post(name, body);
  await here.settled();
  clock.advance(2_000);
  await here.settled();

  const shown: Record<string, string[]> = {};
  for (const conversation of await admin.section('all')) {
    const psid = await psidOf(here, conversation);
    shown[psid] = (await admin.messages(conversation.id)).map(line);
  }
  expect(shown).toEqual({
    [psids.page_A[0]!]: [
      '< text “Hello, is the oak desk still available in 120 cm?” {"edited":true}',
      '< image [image image-1]',
      '< video [video video-1]',
      '< audio [audio audio-1]',
      '< sticker [sticker sticker-1]',
      '< sticker [sticker sticker-1]',
      '< sticker [sticker sticker-1]',
      '< text “📅 2026-11-23 11:00 – 2026-11-23 12:00, Europe/Bratislava, requested”',
      '< postback “Delivery”',
      '> external read text “Yes, two pieces are in stock.”',
      '> external read image [image image-1]',
      '> external read text “Thanks for your message, an agent will answer soon.”',
      '> external read text “Answered from the Page inbox.”',
      '> external read template {"shared":{"url":"https://www.facebook.com/commerce/update/"}}',
      '< text “Yes, that one” re “Yes, two pieces are in stock.”',
      '< text “I meant 160 cm” re “Hello, is the oak desk still available in 120 cm?”',
      '< postback {"referral":{"source":"shortlink","title":"support-page"}}',
      '< text “And do you deliver to Košice?”',
      '< text “Anyone there?”',
      '< text “⭐ 5 – Quick answer”',
    ],
    [psids.page_A[1]!]: [
      '< text “Dobrý deň, máte ešte žltú stoličku? 🪑👍🏽”',
      '< file [file floor-plan-2.pdf]',
      '< image [image image-1] [image image-2] [image image-3]',
      '< shared “This is the one I mean https://shop.example.com/p/oak-desk-160” {"shared":{"title":"Oak desk 160 - Example Shop","url":"https://shop.example.com/p/oak-desk-160"}}',
      '< unsupported',
      '< shared {"shared":{"title":"Autumn sale","url":"https://www.facebook.com/104857293661045/posts/122110045660012345"}}',
      '< shared {"shared":{"title":"How we oil a desk","url":"https://www.facebook.com/reel/1180223344556677"}}',
      expect.stringContaining('< text “Hi, I saw your ad” {"referral":{"source":"ads","title":"Oak desks -20 %"'),
      '< text “prices for oak desks”',
      '< text “first”',
      '< text “second”',
      '< text “Can I pay on delivery?” {"answeredElsewhere":true}',
      '< text “🛒 1 × Oak desk 160, 429 EUR / Please call before delivery”',
    ],
    [psids.page_A[2]!]: [
      '< postback “Get Started” {"referral":{"source":"shortlink","title":"flyer-nov"}}',
      '< postback “Opening hours”',
    ],
    [psids.page_B[0]!]: ['< text “Good morning”', '< text “are you open today?”'],
  });
}, 60_000);

/** An order that has nothing to do with the names. */
function weight(name: string): number {
  return [...name].reduce((sum, sign) => (sum * 31 + sign.charCodeAt(0)) % 9_973, 7);
}

async function psidOf({ app }: World, { id }: Conversation): Promise<string> {
  const row = await app.db.read((reader) =>
    reader.one<{ address: string }>(
      'select t.address from contact t join conversation c on c.contact_id = t.id where c.id = ?',
      [id],
    ),
  );
  return row!.address;
}

/** Refused for good (dossier 3.4): the message says why, the channel goes on. */
const refused: Readonly<Record<string, string>> = {
  'window-closed': 'window_closed',
  'no-matching-user': 'person_unknown',
  'person-unavailable-551': 'person_unavailable',
  'person-unavailable-200': 'person_unavailable',
  'cannot-receive': 'person_unavailable',
  'deprecated-tag': 'tag_gone',
  'thread-owned': 'thread_owned',
  'thread-automated': 'thread_automated',
  'attachment-fetch': 'file_unfetched',
  'attachment-type': 'file_type',
  'attachment-size': 'too_large',
  'attachment-id': 'file_expired',
  'video-timeout': 'video_damaged',
  'message-and-action': 'other',
  'object-missing': 'other',
};
/** Refused because of the Page or the app, which admins see on the channel too. */
const ofPage: Readonly<Record<string, string>> = {
  'page-restricted': 'page_restricted',
  'role-only': 'app_not_live',
  'policy-block': 'policy',
};
/** The permission is gone (dossier 1.6): nothing goes out before somebody signs in again. */
const ofToken: Readonly<Record<string, string>> = {
  'token-app-removed': 'token_app_removed',
  'token-checkpoint': 'token_checkpoint',
  'token-password': 'token_password',
  'token-expired': 'token_expired',
  'token-unconfirmed': 'token_checkpoint',
  'token-invalid': 'token_expired',
  'token-page-role': 'token_role',
  'token-page-not-granted': 'token_expired',
};
/** Nothing was sent: it goes out later by itself. */
const waits = ['rate-app', 'rate-user', 'rate-page', 'rate-613', 'rate-buc-pages', 'rate-buc-messenger'];
/** Nobody knows whether it was sent. */
const ambiguous = ['transient', 'sent-anyway', 'not-json'];
/** Of reading a profile or a message: nobody waits for it. */
const ofReading = ['profile-none', 'profile-permission', 'message-deleted'];

const sample = (name: string): Sample => read(`graph-error-${name}.json`);

test('every error sample has its place here', () => {
  const all = [refused, ofPage, ofToken].flatMap((group) => Object.keys(group)).concat(waits, ambiguous, ofReading);

  expect(all.map((name) => `graph-error-${name}.json`).sort()).toEqual(names('graph-error-').sort());
});

test('every error sample of a send says its plain words in both languages, and does what it asks (C7, C8, C14)', async () => {
  const here = await connected();
  here.expectInLog(/will be tried again/);
  const { sandbox, admin, rep, clock } = here;
  const page = sandbox.meta.state.pages.get(pages.A)!;
  const talking = async (name: string) => {
    const customer = sandbox.meta.customer({ name });
    await customer.writes('Hej', { to: page });
    return { customer, id: (await admin.conversationWith(name)).id };
  };
  const fails = (name: string, method: string, path: RegExp): void => {
    const { status, headers, body, body_text: words } = sample(name);
    sandbox.faults.next('meta', { method, path }, { kind: 'answer', status, headers, body: body ?? words });
  };
  const { customer, id } = await talking('Johan Mattsson');
  /** What each of these sends came to; they leave one after the other. */
  const outcomes = async (samples: readonly string[]) => {
    const sent: string[] = [];
    for (const name of samples) {
      fails(name, 'POST', /\/messages/);
      sent.push((await admin.sends(id, name)).id);
    }
    await here.settled();
    return async () => {
      const [inEnglish, inSwedish] = [await admin.messages(id), await rep.messages(id)];
      const errorIn = (list: readonly Message[], messageId: string) => list.find((one) => one.id === messageId)?.error;
      return samples.map((name, index) => {
        const { status } = inEnglish.find((one) => one.id === sent[index])!;
        const [error, fel] = [errorIn(inEnglish, sent[index]!), errorIn(inSwedish, sent[index]!)];
        return [name, status, error?.code, error?.message, fel?.message];
      });
    };
  };
  const failed = ([name, code]: [string, string]) => [name, 'failed', code, words(en, code), words(sv, code)];
  const health = async (): Promise<Channel['health']> =>
    (await admin.call<{ data: Channel[] }>('GET', '/api/channels')).body.data.find(
      ({ address }) => address === pages.A,
    )!.health;

  expect(await (await outcomes(Object.keys(refused)))()).toEqual(Object.entries(refused).map(failed));
  expect((await health()).state).toBe('ok');

  for (const [name, code] of Object.entries(ofPage)) {
    expect(await (await outcomes([name]))()).toEqual([failed([name, code])]);
    expect((await health()).reasons, name).toMatchObject([{ code }]);
  }

  for (const [name, code] of Object.entries(ofToken)) {
    expect(await (await outcomes([name]))()).toEqual([failed([name, code])]);
    expect(await health(), name).toMatchObject({ state: 'broken', reasons: [{ code: 'token' }] });
    await signsIn(here);
  }

  const unknown = await outcomes(ambiguous);
  expect((await unknown()).map(([, status]) => status)).toEqual(ambiguous.map(() => 'unknown'));
  // Reading the conversation is refused too, once: then it is read again.
  fails('message-deleted', 'GET', /\/conversations/);
  for (let turn = 0; turn < 3; turn += 1) {
    clock.advance(61_000);
    await here.settled();
  }
  expect(await unknown()).toEqual(ambiguous.map((name) => failed([name, 'not_confirmed'])));
  expect(customer.inbox).toEqual([]);

  const slow = await Promise.all(waits.map((name) => talking(`Kund ${name}`)));
  for (const name of waits) fails(name, 'POST', /\/messages/);
  await Promise.all(slow.map(({ id: conversation }) => admin.sends(conversation, 'Wait')));
  await here.settled();
  clock.advance(regainMs - 5_000);
  await here.settled();
  expect(slow.flatMap(({ customer: { inbox } }) => inbox)).toEqual([]);
  // A job adds up to a fifth, so that not all come back at once.
  clock.advance(regainMs / 5 + 5_000);
  await until(() => slow.every(({ customer: { inbox } }) => inbox.length === 1), 'they go out by themselves');

  for (const name of ofReading.slice(0, 2)) {
    fails(name, 'GET', /profile_pic/);
    await talking(`Kund ${name}`);
  }
}, 60_000);

/** Undefined would equal anything that is missing. */
function words(locale: Readonly<Record<string, string>>, code: string): string {
  return locale[`failed.${code}`] ?? `no words for ${code}`;
}

/** `estimated_time_to_regain_access` of the samples, in minutes there. */
const regainMs = 17 * 60_000;

test('the signature vectors verify at the running app over their bytes, and a changed byte does not', async () => {
  interface Signed {
    readonly raw_body: string;
    readonly 'x-hub-signature-256'?: string | null;
  }
  const vector = read<
    Signed & {
      app_secret: string;
      headers: Record<string, string>;
      second_valid: Signed;
      negative: (Signed & { why: string })[];
    }
  >('vector-signature.json');
  const here = await world({ environment: { META_APP_SECRET: vector.app_secret } });
  const posted = async (body: string | Buffer<ArrayBuffer>, header: string | null | undefined): Promise<number> => {
    const headers = { 'content-type': 'application/json', ...(header ? { 'x-hub-signature-256': header } : {}) };
    const answer = await fetch(`${here.url}/webhooks/messenger`, {
      method: 'POST',
      headers,
      body: new Uint8Array(Buffer.from(body)),
    });
    return answer.status;
  };
  const header = vector.headers['x-hub-signature-256']!;

  expect(await posted(vector.raw_body, header)).toBe(200);
  expect(await posted(vector.second_valid.raw_body, vector.second_valid['x-hub-signature-256'])).toBe(200);
  for (const { why, raw_body: body, 'x-hub-signature-256': wrong } of vector.negative) {
    expect(await posted(body, wrong), why).toBe(403);
  }
  const bytes = Buffer.from(vector.raw_body);
  for (let at = 0; at < bytes.length; at += 37) {
    const changed = Buffer.from(bytes);
    changed[at] = changed[at]! ^ 1;
    expect(await posted(changed, header), `byte ${at}`).toBe(403);
  }
  for (const name of names('webhook-')) {
    const body = Buffer.from(JSON.stringify(read(name)));
    const signed = signature(vector.app_secret, body);
    body[body.length - 2] = body[body.length - 2]! ^ 1;
    expect(await posted(body, signed), name).toBe(403);
  }
});

test('the signed_request vectors: whose it is, and nobody when it is forged', () => {
  const vector = read<{
    app_secret: string;
    signed_request: string;
    payload: { user_id: string };
    negative: { why: string; signed_request: string }[];
  }>('vector-signed-request.json');
  const { messenger } = createProviders({
    send: () => Promise.reject(new Error('no calls')),
    publicUrl: 'https://inbox.example.com',
    meta: {
      appId: '812345670912345',
      appSecret: vector.app_secret,
      verifyToken: 'sample',
      graphUrl: 'https://graph.facebook.com',
      graphVersion: 'v25.0',
      loginUrl: 'https://www.facebook.com',
      loginConfigId: null,
      humanAgent: false,
    },
    twilioApiUrl: null,
  });

  expect(messenger!.signedPerson(vector.signed_request)).toBe(vector.payload.user_id);
  for (const { why, signed_request: forged } of vector.negative) {
    expect(messenger!.signedPerson(forged), why).toBeNull();
  }
});
