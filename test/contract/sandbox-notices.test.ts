// The sandbox's mail server and push service: they take what the real ones take, and refuse the rest in their words. Driven by
// the libraries that others use for them, and by hand where a library would be too well-behaved.
import { connect } from 'node:net';
import { createTransport } from 'nodemailer';
import webpush from 'web-push';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { createFaults } from '../../sandbox/faults.ts';
import { startMail, type MailSandbox } from '../../sandbox/mail.ts';
import { startPush, type PushSandbox } from '../../sandbox/push.ts';
import { startSandbox } from '../../sandbox/sandbox.ts';

describe('the mail server (RFC 5321, 5322)', () => {
  let mail: MailSandbox;
  beforeEach(async () => void (mail = await startMail({ now: Date.now })));
  afterEach(() => mail.stop());

  const sara = 'sara.holm@nordtak.example';
  const sound = [
    'From: Inbox <inbox@nordtak.example>',
    `To: ${sara}`,
    'Subject: News',
    'Date: Tue, 20 Jan 2026 10:00:00 +0000',
    'Message-ID: <1@nordtak.example>',
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
  ];

  /** Says these lines one after the other, each after the answer to the one before; answers all codes that came. */
  async function says(lines: readonly string[]): Promise<string[]> {
    const codes: string[] = [];
    const socket = connect(Number(new URL(mail.url).port), '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    const ended = new Promise<void>((resolve) => void socket.once('close', () => resolve()));
    const left = [...lines];
    socket.on('error', () => undefined);
    socket.on('data', (data: Buffer) => {
      const last = data.toString().trimEnd().split('\r\n').at(-1)!;
      if (!/^\d{3} /.test(last)) return;
      codes.push(last.slice(0, 3));
      const next = left.shift();
      if (next === undefined) socket.end();
      else socket.write(`${next}\r\n`);
    });
    await ended;
    return codes.slice(1);
  }

  const plain = (user: string, password: string): string =>
    `AUTH PLAIN ${Buffer.from(`\0${user}\0${password}`).toString('base64')}`;
  const known = () => plain(new URL(mail.url).username, new URL(mail.url).password);
  const envelope = (to = sara): string[] => ['MAIL FROM:<inbox@nordtak.example>', `RCPT TO:<${to}>`];
  const delivers = (headers: readonly string[], body = 'Hello') =>
    says(['EHLO test', known(), ...envelope(), 'DATA', `${headers.join('\r\n')}\r\n\r\n${body}\r\n.`]);

  test('a sound mail lies in the mailbox with both its bodies and its headers; delivered again it lies there once', async () => {
    const transport = createTransport(mail.url);
    const sent = {
      from: 'Inbox <inbox@nordtak.example>',
      to: { name: 'Sara Holm', address: sara },
      subject: 'Nytt från Åsa 🏠',
      text: 'Hej på dig',
      html: '<p>Hej på dig</p>',
      messageId: '<1@nordtak.example>',
      headers: { 'Auto-Submitted': 'auto-generated' },
    };

    await transport.sendMail(sent);
    await transport.sendMail(sent);

    expect(mail.of(sara)).toMatchObject([
      {
        from: 'inbox@nordtak.example',
        to: [sara],
        subject: 'Nytt från Åsa 🏠',
        messageId: '<1@nordtak.example>',
        text: 'Hej på dig\n',
        html: '<p>Hej på dig</p>\n',
        headers: { 'auto-submitted': 'auto-generated', 'mime-version': '1.0' },
      },
    ]);
    expect(mail.deliveries).toEqual([
      { messageId: '<1@nordtak.example>', to: [sara] },
      { messageId: '<1@nordtak.example>', to: [sara] },
    ]);
  });

  test('nobody sends without the right password; a mailbox that is not there and a mail that is too big are refused', async () => {
    mail.refuses('Gone@nordtak.example');

    expect(await says(['EHLO test', plain('inbox', 'guess')])).toEqual(['250', '535']);
    expect(await says(['EHLO test', envelope()[0]!])).toEqual(['250', '530']);
    expect(await says(['EHLO test', known(), ...envelope('gone@nordtak.example')])).toEqual([
      '250',
      '235',
      '250',
      '550',
    ]);
    expect(await says(['EHLO test', known(), `${envelope()[0]!} SIZE=10000001`])).toEqual(['250', '235', '552']);
    expect(mail.mails).toEqual([]);
  });

  test('a mail that is not sound is refused, thing by thing, and not kept', async () => {
    const without = (name: string) => sound.filter((line) => !line.startsWith(`${name}:`));
    const taken = ['250', '235', '250', '250', '354', '250'];
    const refused = [...taken.slice(0, 5), '554'];

    for (const name of ['Date', 'From', 'Message-ID', 'To', 'Subject', 'MIME-Version'])
      expect.soft(await delivers(without(name)), `no ${name}`).toEqual(refused);
    expect.soft(await delivers([...without('Message-ID'), 'Message-ID: <no-place>'])).toEqual(refused);
    expect.soft(await delivers(sound, 'x'.repeat(999))).toEqual(refused);
    expect.soft(await delivers(sound, 'one\ntwo')).toEqual(refused);
    expect(mail.deliveries).toEqual([]);

    expect(await delivers(sound, 'x'.repeat(998))).toEqual(taken);
    expect(mail.mails).toHaveLength(1);
  });

  test('it can be away and come back at the same address, and take a mail without saying so', async () => {
    const before = mail.url;
    await mail.goesDown();
    expect(await says(['EHLO test'])).toEqual([]);
    await mail.comesBack();
    mail.dropsNextAnswer();

    expect(await delivers(sound)).toEqual(['250', '235', '250', '250', '354']);
    expect(mail.url).toBe(before);
    expect(mail.deliveries).toHaveLength(1);
    expect((await delivers(sound)).at(-1)).toBe('250');
    expect([mail.deliveries.length, mail.mails.length]).toEqual([2, 1]);
  });

  test('the mailbox page lists the mails and draws each without letting it do anything', async () => {
    const sandbox = await startSandbox();
    onTestFinished(() => sandbox.stop());
    const hostile = '<img src=x onerror=alert(1)>';
    await createTransport(sandbox.mail.url).sendMail({
      from: 'inbox@nordtak.example',
      to: sara,
      subject: hostile,
      text: hostile,
      html: '<script>alert(1)</script>',
    });
    const page = async (path: string) => {
      const answer = await fetch(`${sandbox.console.url}${path}`);
      return { policy: answer.headers.get('content-security-policy'), words: await answer.text() };
    };

    const [list, one, drawn] = [await page('/mail'), await page('/mail/1'), await page('/mail/1/html')];

    for (const { words } of [list, one]) {
      expect(words).toContain('&#60;img src=x onerror=alert(1)&#62;');
      expect(words).not.toContain(hostile);
    }
    expect(one.words).toContain('sandbox="allow-popups"');
    expect(drawn.words).toContain('<script>alert(1)</script>');
    expect(drawn.policy).toBe("default-src 'none'; style-src 'unsafe-inline'; sandbox allow-popups");
  });
});

describe('the push service (RFC 8030, 8291, 8292)', () => {
  let push: PushSandbox;
  beforeEach(async () => void (push = await startPush({ faults: createFaults() })));
  afterEach(() => push.stop());

  interface Change {
    readonly vapid?: Partial<PushSandbox['vapid']>;
    readonly headers?: Readonly<Record<string, string | undefined>>;
    readonly body?: (sealed: Buffer) => Buffer;
    readonly url?: string;
  }
  const words = { kind: 'test', title: 'Åsa 🏠' };

  /** Sends as the library does, with one thing changed. */
  async function send(
    browser = push.subscribe(),
    options: webpush.RequestOptions = {},
    change: Change = {},
  ): Promise<{ status: number; error: string }> {
    const request = webpush.generateRequestDetails(browser.subscription, JSON.stringify(words), {
      vapidDetails: { ...push.vapid, ...change.vapid },
      TTL: 60,
      contentEncoding: 'aes128gcm',
      ...options,
    });
    const headers = new Headers();
    for (const [name, value] of Object.entries(request.headers as Record<string, string | number>))
      headers.set(name, String(value));
    headers.delete('content-length');
    for (const [name, value] of Object.entries(change.headers ?? {}))
      if (value === undefined) headers.delete(name);
      else headers.set(name, value);
    const answer = await fetch(change.url ?? request.endpoint, {
      method: 'POST',
      headers,
      body: new Uint8Array((change.body ?? ((sealed) => sealed))(request.body)),
    });
    const text = await answer.text();
    return { status: answer.status, error: text === '' ? '' : (JSON.parse(text) as { error: string }).error };
  }

  test('what the library seals arrives as it was, with its topic, urgency and time to live', async () => {
    const browser = push.subscribe();

    expect(await send(browser, { topic: 'conversation_1', urgency: 'high' })).toEqual({ status: 201, error: '' });

    expect(browser.received).toEqual([{ topic: 'conversation_1', ttl: 60, urgency: 'high', data: words }]);
  });

  test('who is not the sender that the browser subscribed to is refused', async () => {
    const stranger = webpush.generateVAPIDKeys();
    const browser = push.subscribe();
    const elsewhere = await startPush({ faults: createFaults() });
    onTestFinished(() => elsewhere.stop());
    const statement = (audience: string, expiration?: number): string =>
      webpush.getVapidHeaders(
        audience,
        push.vapid.subject,
        push.vapid.publicKey,
        push.vapid.privateKey,
        'aes128gcm',
        expiration,
      ).Authorization;
    const past = Math.floor(Date.now() / 1_000) - 60;
    const as = (authorization: string | undefined) => send(browser, {}, { headers: { authorization } });

    expect.soft(await as(undefined)).toEqual({ status: 401, error: 'VAPID is missing' });
    expect.soft(await send(browser, {}, { vapid: stranger })).toMatchObject({ status: 403 });
    expect.soft(await as(statement(elsewhere.url))).toMatchObject({ status: 403 });
    expect.soft(await as(statement(push.url, past))).toMatchObject({ status: 403 });
    const good = statement(push.url);
    // Another letter in the middle of the signature.
    const forged = good.replace(/\.([\w-]{20})(\w)([\w-]+),/, (_, start: string, sign: string, end: string) =>
      [`.${start}`, sign === 'A' ? 'B' : 'A', `${end},`].join(''),
    );
    expect(forged).not.toBe(good);
    expect.soft(await as(forged)).toMatchObject({ status: 403 });
    expect(browser.accepted).toEqual([]);
    expect(await as(good)).toMatchObject({ status: 201 });
  });

  test('a message that is not as described is refused, thing by thing', async () => {
    const browser = push.subscribe();
    const changed = (change: Change) => send(browser, {}, change);
    const flip = (sealed: Buffer): Buffer => {
      const copy = Buffer.from(sealed);
      copy[copy.length - 1]! ^= 1;
      return copy;
    };

    expect.soft(await changed({ headers: { ttl: undefined } })).toMatchObject({ status: 400 });
    expect.soft(await changed({ headers: { ttl: 'soon' } })).toMatchObject({ status: 400 });
    expect.soft(await changed({ headers: { topic: 'a topic' } })).toMatchObject({ status: 400 });
    expect.soft(await changed({ headers: { topic: 'x'.repeat(33) } })).toMatchObject({ status: 400 });
    expect.soft(await changed({ headers: { urgency: 'now' } })).toMatchObject({ status: 400 });
    expect.soft(await changed({ headers: { 'content-encoding': 'aesgcm' } })).toMatchObject({ status: 400 });
    expect.soft(await changed({ body: flip })).toMatchObject({ status: 400 });
    expect.soft(await changed({ body: () => Buffer.from(JSON.stringify(words)) })).toMatchObject({ status: 400 });
    expect.soft(await changed({ body: () => Buffer.alloc(4_097) })).toMatchObject({ status: 413 });
    const other = push.subscribe();
    const toAnother = await changed({ url: other.subscription.endpoint });
    expect.soft(toAnother).toMatchObject({ status: 400, error: 'The content cannot be decrypted by the browser' });
    expect([browser.accepted, other.accepted]).toEqual([[], []]);
  });

  test('a subscription that never was is 404, one that ended 410', async () => {
    const browser = push.subscribe();
    const unknown = `${push.url}/push/never`;

    expect(await send(browser, {}, { url: unknown })).toMatchObject({ status: 404 });
    browser.unsubscribes();
    expect(await send(browser)).toMatchObject({ status: 410 });
  });

  test('for a browser that is off, of one topic the last waits; what must not wait is gone', async () => {
    const browser = push.subscribe();
    browser.turnsOff();
    await send(browser, { topic: 'one', TTL: 60 });
    await send(browser, { topic: 'two', TTL: 61 });
    await send(browser, { topic: 'one', TTL: 62 });
    await send(browser, { TTL: 63 });
    await send(browser, { TTL: 0 });
    expect(browser.received).toEqual([]);

    browser.turnsOn();

    expect(browser.received.map(({ ttl }) => ttl)).toEqual([61, 62, 63]);
    expect(browser.accepted).toHaveLength(5);
  });
});
