// A push service as browsers have one (RFC 8030, 8291, 8292): checks the sender's key and headers, replaces what waits under
// the same topic, and delivers to browsers that are on. It has the browsers' keys too, so that a test can read what came.
import { createECDH, createPrivateKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import Router from '@koa/router';
import Koa, { type Context } from 'koa';
import { faultMiddleware, type Faults } from './faults.ts';
import { BodyTooLarge, listen, paramOf, readBody } from './listen.ts';
import { openMessage } from './push/open-message.ts';
import { requireVapid } from './push/vapid.ts';

export interface PushOptions {
  port?: number;
  faults: Faults;
}

export interface PushedMessage {
  readonly topic: string | null;
  readonly ttl: number;
  readonly urgency: string;
  /** As the browser gets it. */
  readonly data: unknown;
}

/** One browser's subscription. */
export interface PushBrowser {
  /** What `PushSubscription.toJSON()` gives. */
  readonly subscription: { endpoint: string; keys: { p256dh: string; auth: string } };
  /** What the browser has received, in order. */
  readonly received: PushedMessage[];
  /** What waits while it is off; of one topic the last. */
  readonly waiting: PushedMessage[];
  /** Every call for it, delivered or not. */
  readonly accepted: PushedMessage[];
  turnsOff(): void;
  turnsOn(): void;
  /** Answers 410 from now on. */
  unsubscribes(): void;
  onMessage(hear: (message: PushedMessage) => void): void;
}

export interface PushSandbox {
  readonly url: string;
  /** For MEDIA_EXTRA_HOSTS: the app may push here over plain http. */
  readonly host: string;
  /** VAPID_PUBLIC_KEY and the others; a subscription takes messages of this sender only. */
  readonly vapid: { publicKey: string; privateKey: string; subject: string };
  readonly browsers: PushBrowser[];
  subscribe(): PushBrowser;
  stop(): Promise<void>;
}

const urgencies = ['very-low', 'low', 'normal', 'high'];
/** The most a push service must take (RFC 8030, 7.2). */
const maxBytes = 4_096;

interface Known extends PushBrowser {
  deliver(message: PushedMessage): void;
  isGone(): boolean;
  open(body: Buffer): unknown;
}

export async function startPush(options: PushOptions): Promise<PushSandbox> {
  const vapid = newVapid();
  const known = new Map<string, Known>();
  let origin = '';

  const receive = async (ctx: Context): Promise<void> => {
    const browser = known.get(paramOf(ctx, 'id'));
    if (!browser) return refuse(ctx, 404, 'No such subscription');
    if (browser.isGone()) return refuse(ctx, 410, 'The subscription has ended');
    const fault = requireVapid(ctx.get('authorization'), origin, vapid.publicKey);
    if (fault) return refuse(ctx, fault.status, fault.reason);
    const ttl = ctx.get('ttl');
    if (!/^\d{1,10}$/.test(ttl)) return refuse(ctx, 400, 'TTL is missing or malformed');
    const topic = ctx.get('topic');
    if (topic !== '' && !/^[\w-]{1,32}$/.test(topic)) return refuse(ctx, 400, 'Topic is malformed');
    const urgency = ctx.get('urgency') || 'normal';
    if (!urgencies.includes(urgency)) return refuse(ctx, 400, 'Urgency is malformed');
    if (ctx.get('content-encoding') !== 'aes128gcm') return refuse(ctx, 400, 'The content is not encrypted');
    let data: unknown;
    try {
      data = browser.open(await readBody(ctx, maxBytes));
    } catch (error) {
      if (error instanceof BodyTooLarge) return refuse(ctx, 413, 'The message is too big');
      return refuse(ctx, 400, 'The content cannot be decrypted by the browser');
    }
    browser.deliver({ topic: topic === '' ? null : topic, ttl: Number(ttl), urgency, data });
    ctx.status = 201;
    ctx.set('Location', `${origin}/message/${randomBytes(12).toString('base64url')}`);
    ctx.body = '';
  };

  const router = new Router();
  router.post('/push/:id', receive);
  const app = new Koa();
  app.silent = true;
  app.use(faultMiddleware(options.faults, 'push'));
  app.use(router.routes());
  app.use(router.allowedMethods());
  const server = await listen(app, options.port);
  origin = server.url;

  return {
    url: server.url,
    host: server.host,
    vapid,
    get browsers() {
      return [...known.values()];
    },
    subscribe: () => {
      const id = randomBytes(24).toString('base64url');
      const browser = newBrowser(`${server.url}/push/${id}`);
      known.set(id, browser);
      return browser;
    },
    stop: server.stop,
  };
}

function newBrowser(endpoint: string): Known {
  const key = createECDH('prime256v1');
  key.generateKeys();
  const auth = randomBytes(16);
  const received: PushedMessage[] = [];
  const waiting: PushedMessage[] = [];
  const accepted: PushedMessage[] = [];
  const hearers: ((message: PushedMessage) => void)[] = [];
  let isOn = true;
  let isGone = false;
  const hand = (message: PushedMessage): void => {
    received.push(message);
    for (const hear of hearers) hear(message);
  };
  return {
    subscription: {
      endpoint,
      keys: { p256dh: key.getPublicKey('base64url'), auth: auth.toString('base64url') },
    },
    received,
    waiting,
    accepted,
    turnsOff: () => void (isOn = false),
    turnsOn: () => {
      isOn = true;
      for (const message of waiting.splice(0)) hand(message);
    },
    unsubscribes: () => void (isGone = true),
    isGone: () => isGone,
    onMessage: (hear) => void hearers.push(hear),
    open: (body) => JSON.parse(openMessage(body, key, auth).toString('utf8')) as unknown,
    deliver: (message) => {
      accepted.push(message);
      if (isOn) return hand(message);
      // The newer message takes the place of what waits under its topic (RFC 8030, 5.4).
      const same = waiting.findIndex(({ topic }) => topic !== null && topic === message.topic);
      if (same >= 0) waiting.splice(same, 1);
      if (message.ttl > 0) waiting.push(message);
    },
  };
}

function newVapid(): PushSandbox['vapid'] {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const {
    x = '',
    y = '',
    d = '',
  } = createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' })).export({
    format: 'jwk',
  });
  const point = Buffer.concat([Buffer.from([4]), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
  return {
    publicKey: point.toString('base64url'),
    privateKey: Buffer.from(d, 'base64url').toString('base64url'),
    subject: 'mailto:operator@sandbox.example',
  };
}

function refuse(ctx: Context, status: number, reason: string): void {
  ctx.status = status;
  ctx.body = { code: status, errno: status, error: reason };
}
