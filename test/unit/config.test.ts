// Settings: all faults at once, in plain words, without a secret in them; and .env.example lists every one (O1).
import { readFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ConfigError, readConfig, settingNames, type Environment } from '../../src/config.ts';

const root = join(import.meta.dirname, '../..');
const key = Buffer.from(Array.from({ length: 32 }, (_, index) => index * 7)).toString('base64');
const least = { PIPEDRIVE_CLIENT_ID: 'id', PIPEDRIVE_CLIENT_SECRET: 'client-secret' };
const production = {
  ...least,
  NODE_ENV: 'production',
  PUBLIC_URL: 'https://inbox.example.com',
  ENCRYPTION_KEYS: `k1:${key}`,
  SESSION_SECRET: 'abcdefghijklmnopqrstuvwxyz0123456789',
};

function faultsOf(environment: Environment): readonly string[] {
  try {
    readConfig(environment);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}

test('the defaults are those that are documented, and the whole is frozen', () => {
  const config = readConfig(least);

  expect(config).toMatchObject({
    production: false,
    port: 3_000,
    host: '127.0.0.1',
    publicUrl: 'http://localhost:3000',
    databaseUrl: 'sqlite:./data/inbox.sqlite',
    mediaUrl: 'file:./data/media',
    meta: null,
    noteDebounceMs: 5_000,
    noteMaxWaitMs: 60_000,
    reconcileIntervalMs: 900_000,
    logLevel: 'info',
    metricsToken: null,
    eraseAfterDays: 30,
    mediaExtraHosts: [],
  });
  expect(config.pipedrive).toMatchObject({
    jwtSecret: 'client-secret',
    oauthUrl: 'https://oauth.pipedrive.com',
    apiUrl: null,
    channelsApi: 'auto',
  });
  expect(Object.isFrozen(config)).toBe(true);
  expect(Object.isFrozen(config.pipedrive)).toBe(true);
});

test('a sound production is accepted, and what is left empty counts as left out', () => {
  expect(faultsOf(production)).toEqual([]);
  expect(faultsOf({ ...production, META_APP_ID: '', METRICS_TOKEN: '', PIPEDRIVE_API_URL: '' })).toEqual([]);
});

test('all faults are told at once, each with the name of its setting and what was expected', () => {
  const faults = faultsOf({
    PORT: 'eighty',
    PUBLIC_URL: 'inbox.example.com',
    DATABASE_URL: 'mysql://x',
    MEDIA_URL: '/var/media',
    NOTE_DEBOUNCE_MS: '-1',
    LOG_LEVEL: 'loud',
    META_GRAPH_VERSION: '25',
    METRICS_TOKEN: 'short',
    ENCRYPTION_KEYS: 'k1:c2hvcnQ=',
    SESSION_SECRET: 'short',
    MEDIA_EXTRA_HOSTS: 'somewhere',
  });

  for (const [name, words] of [
    ['PORT', 'port number'],
    ['PUBLIC_URL', 'https://inbox.example.com'],
    ['DATABASE_URL', 'sqlite:PATH'],
    ['MEDIA_URL', 'file:FOLDER'],
    ['NOTE_DEBOUNCE_MS', 'negative'],
    ['LOG_LEVEL', 'one of'],
    ['META_GRAPH_VERSION', 'v25.0'],
    ['METRICS_TOKEN', '16 characters'],
    ['ENCRYPTION_KEYS', '32 bytes'],
    ['SESSION_SECRET', '32 random characters'],
    ['MEDIA_EXTRA_HOSTS', 'host:port'],
    ['PIPEDRIVE_CLIENT_ID', 'Developer Hub'],
    ['PIPEDRIVE_CLIENT_SECRET', 'Developer Hub'],
  ] as const) {
    expect
      .soft(
        faults.filter((fault) => fault.startsWith(name)),
        name,
      )
      .toHaveLength(1);
    expect
      .soft(
        faults.find((fault) => fault.startsWith(name)),
        name,
      )
      .toContain(words);
  }
});

describe('in production', () => {
  test.each(['PIPEDRIVE_OAUTH_URL', 'PIPEDRIVE_API_URL', 'META_GRAPH_URL', 'META_LOGIN_URL', 'TWILIO_API_URL'])(
    '%s must not point at a stand-in, unless stand-ins are allowed',
    (name) => {
      const pointed = { ...production, [name]: 'https://stand-in.example.com' };

      expect(faultsOf(pointed)).toEqual([expect.stringMatching(new RegExp(`^${name} .*ALLOW_STAND_INS`))]);
      expect(faultsOf({ ...pointed, ALLOW_STAND_INS: 'true' })).toEqual([]);
      expect(faultsOf({ ...least, [name]: 'https://stand-in.example.com' })).toEqual([]);
    },
  );

  test('attachments come from no other hosts, not even with stand-ins allowed', () => {
    const faults = faultsOf({ ...production, MEDIA_EXTRA_HOSTS: 'localhost:9000', ALLOW_STAND_INS: 'true' });

    expect(faults).toEqual([expect.stringContaining('MEDIA_EXTRA_HOSTS')]);
  });

  test('keys, a session secret and an https address are required', () => {
    const faults = faultsOf({ ...least, NODE_ENV: 'production' });

    for (const name of ['ENCRYPTION_KEYS', 'SESSION_SECRET', 'PUBLIC_URL']) {
      expect
        .soft(
          faults.some((fault) => fault.startsWith(name)),
          name,
        )
        .toBe(true);
    }
  });
});

test.each([
  ['31 bytes', `k1:${Buffer.alloc(31, 'abcdef').toString('base64')}`],
  ['all zero', `k1:${Buffer.alloc(32).toString('base64')}`],
  ['no id', key],
  ['one bad of two', `k1:${key},k2:x`],
  ['two with one id', `k1:${key},k1:${key}`],
  ['nothing between commas', `k1:${key},,`],
])('encryption keys: %s is refused (C-06)', (_, keys) => {
  expect(faultsOf({ ...production, ENCRYPTION_KEYS: keys })).toEqual([expect.stringContaining('ENCRYPTION_KEYS')]);
});

test.each([
  [{ META_APP_ID: '1' }, 'META_APP_ID'],
  [{ SMTP_URL: 'smtps://user:pass@mail.example.com' }, 'MAIL_FROM'],
  [{ VAPID_PUBLIC_KEY: 'x' }, 'VAPID_PUBLIC_KEY'],
  [{ NOTE_DEBOUNCE_MS: '10', NOTE_MAX_WAIT_MS: '5' }, 'NOTE_MAX_WAIT_MS'],
])('what belongs together is set together: %j', (given, name) => {
  const faults = faultsOf({ ...least, ...given });

  expect(faults.length).toBeGreaterThan(0);
  expect(faults[0]).toContain(name);
});

test('no secret that was given is ever part of the message', () => {
  const secrets = {
    ENCRYPTION_KEYS: 'k1:canary-encryption',
    SESSION_SECRET: 'canary-session',
    PIPEDRIVE_CLIENT_SECRET: 'canary-client',
    PIPEDRIVE_JWT_SECRET: 'canary-jwt',
    META_APP_SECRET: 'canary-meta',
    META_VERIFY_TOKEN: 'canary-verify',
    DATABASE_URL: 'mysql://user:canary-password@host/db',
    SMTP_URL: 'ftp://user:canary-smtp@host',
    METRICS_TOKEN: 'canary',
    VAPID_PRIVATE_KEY: 'canary-vapid',
    MEDIA_URL: 'canary-media',
    PUBLIC_URL: 'https://user:canary-url@host/',
  };

  const faults = faultsOf(secrets);

  expect(faults.length).toBeGreaterThan(5);
  expect(faults.join('\n')).not.toContain('canary');
});

test('the process says so on stderr, in words and without a stack, and ends with 1', () => {
  const { status, stderr, stdout } = spawnSync(process.execPath, ['dist/main.js'], {
    cwd: root,
    env: { PATH: process.env.PATH, PORT: 'eighty', PIPEDRIVE_CLIENT_SECRET: 'canary-client' },
    encoding: 'utf8',
  });

  expect(status).toBe(1);
  expect(stderr).toMatch(/^The settings are not right:\n/);
  expect(stderr).toContain('  - PORT must be a port number');
  expect(stderr).toContain('  - PIPEDRIVE_CLIENT_ID is required');
  expect(stderr + stdout).not.toContain('canary');
  expect(stderr).not.toMatch(/\n\s+at /);
});

describe('.env.example', () => {
  const lines = readFileSync(join(root, '.env.example'), 'utf8').split('\n');
  const listed = lines.flatMap((line, at) => {
    const found = /^(?:# )?([A-Z][A-Z0-9_]+)=(.*)$/.exec(line);
    return found ? [{ name: found[1]!, value: found[2]!, at, isSet: !line.startsWith('#') }] : [];
  });

  test('lists every setting once, and none that is not there', () => {
    expect(listed.map(({ name }) => name).toSorted()).toEqual([...settingNames].toSorted());
  });

  test('has a comment above each', () => {
    for (const { name, at } of listed) {
      const above = lines.slice(0, at).findLast((line) => !/^(?:# )?[A-Z][A-Z0-9_]+=/.test(line));
      expect.soft(above, name).toMatch(/^# \S/);
    }
  });

  test('shows the defaults that are used', () => {
    const shown = Object.fromEntries(listed.filter(({ isSet }) => !isSet).map(({ name, value }) => [name, value]));

    expect(readConfig({ ...least, ...shown })).toEqual(readConfig(least));
  });

  test('holds no secret, and without those it does not start in production', () => {
    const set = Object.fromEntries(listed.filter(({ isSet }) => isSet).map(({ name, value }) => [name, value]));

    expect(
      faultsOf({ ...set, NODE_ENV: 'production' })
        .map((fault) => fault.split(' ')[0])
        .toSorted(),
    ).toEqual(['ENCRYPTION_KEYS', 'PIPEDRIVE_CLIENT_ID', 'PIPEDRIVE_CLIENT_SECRET', 'SESSION_SECRET']);
  });
});
