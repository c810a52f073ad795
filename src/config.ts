// Environment to one checked, frozen Config; the only reader of process.env. All faults are told at once (O1).
import { z } from 'zod';

/** A setting that is wrong: its name and, in plain words, what was expected. */
export class ConfigError extends Error {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`The settings are not right:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

export type Environment = Readonly<Record<string, string | undefined>>;

const realHosts = {
  PIPEDRIVE_OAUTH_URL: 'https://oauth.pipedrive.com',
  META_GRAPH_URL: 'https://graph.facebook.com',
  META_LOGIN_URL: 'https://www.facebook.com',
} as const;

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

const port = z.coerce
  .number('must be a port number')
  .int('must be a port number')
  .min(0, 'must be a port number')
  .max(65_535, 'must be a port number');
const milliseconds = z.coerce
  .number('must be a number of milliseconds')
  .int('must be a whole number of milliseconds')
  .min(0, 'must not be negative');
const count = z.coerce
  .number('must be a number from 0 to 1000')
  .int('must be a number from 0 to 1000')
  .min(0, 'must be a number from 0 to 1000')
  .max(1_000, 'must be a number from 0 to 1000');
const origin = z.string().transform((value, context) => {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.search || url.hash || url.username) {
    context.addIssue({ code: 'custom', message: 'must be an address such as https://inbox.example.com' });
    return z.NEVER;
  }
  return value.replace(/\/+$/, '');
});

/** Every setting with its meaning; `.env.example` is checked against this list. */
const shape = {
  NODE_ENV: z.string().optional(),
  PORT: port.default(3000),
  HOST: z.string().default('127.0.0.1'),
  PUBLIC_URL: origin.default('http://localhost:3000'),
  DATABASE_URL: z
    .string()
    .regex(/^(sqlite:.+|postgres(ql)?:\/\/.+)$/, 'must be sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE')
    .default('sqlite:./data/inbox.sqlite'),
  ENCRYPTION_KEYS: z.string().optional(),
  SESSION_SECRET: z.string().optional(),
  PIPEDRIVE_CLIENT_ID: z.string('is required: the client id from Developer Hub').min(1, 'must not be empty'),
  PIPEDRIVE_CLIENT_SECRET: z.string('is required: the client secret from Developer Hub').min(1, 'must not be empty'),
  PIPEDRIVE_JWT_SECRET: z.string().optional(),
  PIPEDRIVE_OAUTH_URL: origin.default(realHosts.PIPEDRIVE_OAUTH_URL),
  PIPEDRIVE_API_URL: origin.optional(),
  PIPEDRIVE_CHANNELS_API: z.enum(['auto', 'on', 'off'], 'must be auto, on or off').default('auto'),
  META_APP_ID: z.string().optional(),
  META_APP_SECRET: z.string().optional(),
  META_VERIFY_TOKEN: z.string().optional(),
  META_GRAPH_URL: origin.default(realHosts.META_GRAPH_URL),
  META_GRAPH_VERSION: z
    .string()
    .regex(/^v\d{2}\.\d$/, 'must be a version such as v25.0')
    .default('v25.0'),
  META_LOGIN_URL: origin.default(realHosts.META_LOGIN_URL),
  META_LOGIN_CONFIG_ID: z.string().optional(),
  META_HUMAN_AGENT: z.enum(['true', 'false'], 'must be true or false').default('false'),
  TWILIO_API_URL: origin.optional(),
  MEDIA_EXTRA_HOSTS: z.string().default(''),
  MEDIA_URL: z
    .string()
    .regex(
      /^file:.+$|^s3:\/\/[a-z0-9][a-z0-9.-]+(\/[\w./-]*)?(\?.*)?$/,
      'must be file:FOLDER or s3://BUCKET/PREFIX?region=REGION',
    )
    .default('file:./data/media'),
  SMTP_URL: z
    .string()
    .refine((value) => URL.canParse(value) && /^smtps?:$/.test(new URL(value).protocol), {
      message: 'must be smtp://USER:PASSWORD@HOST:PORT or smtps://…',
    })
    .optional(),
  MAIL_FROM: z
    .string()
    .regex(/^[^<>\r\n]*<[^\s<>@]+@[^\s<>@]+>$|^[^\s<>@]+@[^\s<>@]+$/, 'must be an address, or a name with <an address>')
    .optional(),
  VAPID_PUBLIC_KEY: z
    .string()
    .regex(/^[\w-]{87}$/, 'must be 65 bytes in base64url')
    .optional(),
  VAPID_PRIVATE_KEY: z
    .string()
    .regex(/^[\w-]{43}$/, 'must be 32 bytes in base64url')
    .optional(),
  VAPID_SUBJECT: z
    .string()
    .regex(/^(mailto:.+@.+|https:\/\/.+)$/, 'must be mailto:ADDRESS or an https address')
    .optional(),
  NOTE_DEBOUNCE_MS: milliseconds.default(5_000),
  NOTE_MAX_WAIT_MS: milliseconds.default(60_000),
  RECONCILE_INTERVAL_MS: milliseconds.default(900_000),
  IMPORT_CONVERSATIONS: count.default(30),
  IMPORT_MESSAGES: count.default(30),
  MAIL_DEBOUNCE_MS: milliseconds.default(30_000),
  LOG_LEVEL: z.enum(levels, `must be one of ${levels.join(', ')}`).default('info'),
  METRICS_TOKEN: z.string().min(16, 'must have at least 16 characters').optional(),
  ERASE_AFTER_DAYS: z.coerce.number('must be a number of days').int().min(0, 'must not be negative').default(30),
  ALLOW_STAND_INS: z.enum(['true', 'false'], 'must be true or false').default('false'),
};
export const settingNames = Object.keys(shape).filter((name) => name !== 'NODE_ENV');

export type Config = ReturnType<typeof readConfig>;

/** Reads and checks all settings. Throws ConfigError with every fault found. */
export function readConfig(environment: Environment = process.env) {
  // An empty value, as in `NAME=` of an .env file, is a setting that was left out.
  const given = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = z.object(shape).safeParse(given);
  const faults: string[] = [];
  if (!parsed.success) {
    for (const issue of parsed.error.issues) faults.push(`${issue.path.join('.')} ${issue.message}`);
  }
  const production = given.NODE_ENV === 'production';
  const keys = readKeys(given.ENCRYPTION_KEYS, production, faults);
  const sessionSecret = readSecret('SESSION_SECRET', given.SESSION_SECRET, production, faults);
  checkTogether(readEach(given), production, faults);
  const mediaExtraHosts = readHosts(given.MEDIA_EXTRA_HOSTS ?? '', production, faults);
  if (!parsed.success || faults.length > 0) throw new ConfigError([...new Set(faults)]);
  const env = parsed.data;
  return Object.freeze({
    production,
    port: env.PORT,
    host: env.HOST,
    publicUrl: env.PUBLIC_URL,
    databaseUrl: env.DATABASE_URL.replace(/^postgresql:/, 'postgres:'),
    encryptionKeys: keys,
    sessionSecret,
    pipedrive: Object.freeze({
      clientId: env.PIPEDRIVE_CLIENT_ID,
      clientSecret: env.PIPEDRIVE_CLIENT_SECRET,
      jwtSecret: env.PIPEDRIVE_JWT_SECRET ?? env.PIPEDRIVE_CLIENT_SECRET,
      oauthUrl: env.PIPEDRIVE_OAUTH_URL,
      /** Replaces the company's own address; stand-ins only. */
      apiUrl: env.PIPEDRIVE_API_URL ?? null,
      channelsApi: env.PIPEDRIVE_CHANNELS_API,
    }),
    meta:
      env.META_APP_ID && env.META_APP_SECRET && env.META_VERIFY_TOKEN
        ? Object.freeze({
            appId: env.META_APP_ID,
            appSecret: env.META_APP_SECRET,
            verifyToken: env.META_VERIFY_TOKEN,
            graphUrl: env.META_GRAPH_URL,
            graphVersion: env.META_GRAPH_VERSION,
            loginUrl: env.META_LOGIN_URL,
            loginConfigId: env.META_LOGIN_CONFIG_ID ?? null,
            humanAgent: env.META_HUMAN_AGENT === 'true',
          })
        : null,
    twilio: Object.freeze({ apiUrl: env.TWILIO_API_URL ?? null }),
    mediaExtraHosts,
    mediaUrl: env.MEDIA_URL,
    mail: env.SMTP_URL && env.MAIL_FROM ? Object.freeze({ url: env.SMTP_URL, from: env.MAIL_FROM }) : null,
    mailDebounceMs: env.MAIL_DEBOUNCE_MS,
    vapid:
      env.VAPID_PUBLIC_KEY && env.VAPID_PRIVATE_KEY && env.VAPID_SUBJECT
        ? Object.freeze({
            publicKey: env.VAPID_PUBLIC_KEY,
            privateKey: env.VAPID_PRIVATE_KEY,
            subject: env.VAPID_SUBJECT,
          })
        : null,
    noteDebounceMs: env.NOTE_DEBOUNCE_MS,
    noteMaxWaitMs: env.NOTE_MAX_WAIT_MS,
    reconcileIntervalMs: env.RECONCILE_INTERVAL_MS,
    importing: Object.freeze({ conversations: env.IMPORT_CONVERSATIONS, messages: env.IMPORT_MESSAGES }),
    logLevel: env.LOG_LEVEL,
    metricsToken: env.METRICS_TOKEN ?? null,
    eraseAfterDays: env.ERASE_AFTER_DAYS,
  });
}

type Env = z.infer<z.ZodObject<typeof shape>>;

/** What is sound, so that it can be looked at together although something else is not. */
function readEach(given: Environment): Partial<Env> {
  return Object.fromEntries(
    Object.entries(shape).flatMap(([name, setting]) => {
      const read = setting.safeParse(given[name]);
      return read.success ? [[name, read.data]] : [];
    }),
  );
}

function checkTogether(env: Partial<Env>, production: boolean, faults: string[]): void {
  const standIns = env.ALLOW_STAND_INS === 'true';
  if (production && !standIns) {
    for (const [name, real] of Object.entries(realHosts)) {
      const used = env[name as keyof typeof realHosts];
      if (used !== undefined && used !== real) {
        faults.push(`${name} must be ${real} in production (ALLOW_STAND_INS=true lifts this)`);
      }
    }
    for (const name of ['PIPEDRIVE_API_URL', 'TWILIO_API_URL'] as const) {
      if (env[name]) faults.push(`${name} must not be set in production (ALLOW_STAND_INS=true lifts this)`);
    }
    if (env.PUBLIC_URL?.startsWith('http:')) faults.push('PUBLIC_URL must start with https:// in production');
  }
  const meta = [env.META_APP_ID, env.META_APP_SECRET, env.META_VERIFY_TOKEN].filter(Boolean).length;
  if (meta > 0 && meta < 3) {
    faults.push('META_APP_ID, META_APP_SECRET and META_VERIFY_TOKEN must be set together, or none of them');
  }
  if (env.SMTP_URL && !env.MAIL_FROM) faults.push('MAIL_FROM must be set when SMTP_URL is');
  const vapid = [env.VAPID_PUBLIC_KEY, env.VAPID_PRIVATE_KEY, env.VAPID_SUBJECT].filter(Boolean).length;
  if (vapid > 0 && vapid < 3) {
    faults.push('VAPID_PUBLIC_KEY, VAPID_PRIVATE_KEY and VAPID_SUBJECT must be set together, or none of them');
  }
  if ((env.NOTE_MAX_WAIT_MS ?? Infinity) < (env.NOTE_DEBOUNCE_MS ?? 0))
    faults.push('NOTE_MAX_WAIT_MS must not be less than NOTE_DEBOUNCE_MS');
}

const developmentSecret = 'only for development, never for production';

function readKeys(value: string | undefined, production: boolean, faults: string[]) {
  if (value === undefined) {
    if (production)
      faults.push('ENCRYPTION_KEYS is required in production: id:base64 of 32 random bytes, comma-separated');
    return [{ id: 'development', secret: Buffer.from(developmentSecret.padEnd(32).slice(0, 32)) }];
  }
  const keys = value.split(',').flatMap((entry) => {
    const [id = '', encoded = '', ...rest] = entry.trim().split(':');
    const secret = Buffer.from(encoded, 'base64');
    if (!/^[A-Za-z0-9_-]{1,40}$/.test(id) || rest.length > 0 || secret.length !== 32) {
      faults.push('ENCRYPTION_KEYS must hold entries of the form id:base64, each of exactly 32 bytes');
      return [];
    }
    if (secret.every((byte) => byte === secret[0])) {
      faults.push(`ENCRYPTION_KEYS: the key "${id}" is not random`);
      return [];
    }
    return [{ id, secret }];
  });
  const ids = keys.map(({ id }) => id);
  if (new Set(ids).size < ids.length) faults.push('ENCRYPTION_KEYS must not name two keys alike');
  return keys;
}

function readSecret(name: string, value: string | undefined, production: boolean, faults: string[]): string {
  if (value === undefined) {
    if (production) faults.push(`${name} is required in production: at least 32 random characters`);
    return developmentSecret;
  }
  if (value.length < 32 || new Set(value).size < 8) faults.push(`${name} must have at least 32 random characters`);
  return value;
}

function readHosts(value: string, production: boolean, faults: string[]): readonly string[] {
  const hosts = value
    .split(',')
    .map((host) => host.trim().toLowerCase())
    .filter((host) => host !== '');
  if (hosts.some((host) => !/^[a-z0-9.-]+:\d{1,5}$/.test(host))) {
    faults.push('MEDIA_EXTRA_HOSTS must be a comma-separated list of host:port');
  }
  if (production && hosts.length > 0) faults.push('MEDIA_EXTRA_HOSTS must be empty in production');
  return hosts;
}
