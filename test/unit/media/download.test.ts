// Attachments are fetched from allowed hosts only, within bounds, and no provider's credentials reach anybody else (C6, T-11; U-01 to U-34).
import { readdir } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createHttp } from '../../../src/base/http.ts';
import { createProviders } from '../../../src/channels/registry.ts';
import { downloadMedia, type DownloadDeps, type DownloadRules } from '../../../src/media/download.ts';
import { createFolderStorage } from '../../../src/media/storage.ts';
import { picture, pictureNames } from '../../../sandbox/pictures.ts';

interface Host {
  /** `host:port` */
  readonly name: string;
  readonly url: string;
  readonly requests: { readonly url: string; readonly headers: IncomingHttpHeaders }[];
  connections(): number;
}

/** A real server on loopback. */
async function host(answer: RequestListener): Promise<Host> {
  const requests: Host['requests'] = [];
  let connections = 0;
  const server = createServer((request, response) => {
    requests.push({ url: request.url ?? '', headers: request.headers });
    answer(request, response);
  });
  server.on('connection', () => (connections += 1));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  const name = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { name, url: `http://${name}`, requests, connections: () => connections };
}

interface Case {
  readonly extra?: readonly Host[];
  readonly rules?: Partial<DownloadRules>;
  readonly resolve?: DownloadDeps['resolve'];
  readonly limits?: DownloadDeps['limits'];
}

async function downloader(given: Case = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'inbox-media-'));
  const http = createHttp();
  const deps: DownloadDeps = {
    http,
    storage: createFolderStorage(`file:${folder}`),
    extraHosts: (given.extra ?? []).map(({ name }) => name),
    ...(given.resolve ? { resolve: given.resolve } : {}),
    ...(given.limits ? { limits: given.limits } : {}),
  };
  onTestFinished(async () => {
    await http.close();
    await rm(folder, { recursive: true, force: true });
  });
  const rules: DownloadRules = { allows: () => true, headersFor: () => ({}), maxBytes: 100_000_000, ...given.rules };
  return {
    fetch: (address: string) => downloadMedia(deps, address, rules),
    bytes: (key: string) => deps.storage.read(key),
    /** Names of all files, finished or not. */
    files: async () =>
      (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).length,
  };
}

const refused = (reason?: string) => ({ kind: 'refused', ...(reason === undefined ? {} : { reason }) });
const image = async (): Promise<Buffer> => (await picture(pictureNames[0]!)).bytes;

/** Every way to write an address that nobody outside may have us call. */
const private_: readonly (readonly [id: string, host: string])[] = [
  ['U-01', '169.254.169.254'],
  ['U-02', '127.0.0.1'],
  ['U-04', '[::1]'],
  ['U-05', '[::ffff:127.0.0.1]'],
  ['U-06', '[::ffff:7f00:1]'],
  ['U-07', '2130706433'],
  ['U-08', '0x7f.1'],
  ['U-09', '0177.0.0.1'],
  ['U-10', '127.1'],
  ['U-11', '0.0.0.0'],
  ['U-12', '①②⑦.⓪.⓪.①'],
  ['U-13', '[fd00::1]'],
  ['U-13', '[fe80::1]'],
  ['U-14', '[64:ff9b::7f00:1]'],
  ['U-15', '[2002:7f00:1::]'],
  ['U-16', '100.64.0.1'],
  ['U-16', '198.18.0.1'],
  ['U-16', '192.0.0.192'],
  ['U-16', '224.0.0.1'],
  ['U-16', '255.255.255.255'],
  ['10/8', '10.1.2.3'],
  ['172.16/12', '172.31.255.255'],
  ['192.168/16', '192.168.1.1'],
  ['unspecified', '[::]'],
  ['multicast', '[ff02::1]'],
];

describe('an address nobody may have us call is not called', () => {
  test.each(private_)('%s https://%s/, even if its host were allowed', async (_, name) => {
    const { fetch, files } = await downloader();

    await expect(fetch(`https://${name}/`)).rejects.toMatchObject(refused('private_address'));
    expect(await files()).toBe(0);
  });

  test.each(private_)('%s over plain http with a port of ours: http://%s:PORT/', async (_, name) => {
    const canary = await host((__, response) => response.end('secret'));
    const { fetch } = await downloader();

    await expect(fetch(`http://${name}:${canary.name.split(':')[1]}/`)).rejects.toMatchObject(refused());
    expect(canary.connections()).toBe(0);
  });

  test.each([
    ['U-13 with a zone', 'https://[fe80::1%25eth0]/'],
    ['U-17', 'file:///etc/passwd'],
    ['U-18', 'gopher://127.0.0.1/'],
    ['U-18', 'ftp://127.0.0.1/'],
    ['U-18', 'data:image/png;base64,AAAA'],
    ['U-18', 'blob:https://example.com/1'],
    ['U-18', 'javascript:alert(1)'],
    ['U-22', 'https://api.twilio.com:22/'],
    ['U-23', 'https://user:pass@api.twilio.com/'],
    ['U-29 backslashes', 'https:\\\\evil.example'],
    ['U-29 tab in the scheme', 'ht\ttps://evil.example/'],
    ['U-29 newline', 'https://api.twilio.com/\nx'],
    ['U-30', `https://api.twilio.com/${'a'.repeat(8_192)}`],
    ['empty', ''],
    ['no address', 'hello'],
  ])('%s %s', async (_, address) => {
    const { fetch } = await downloader();

    await expect(fetch(address)).rejects.toMatchObject(refused());
  });

  const { whatsapp, messenger } = createProviders({
    send: () => Promise.reject(new Error('no calls here')),
    publicUrl: 'https://inbox.example.com',
    meta: {
      appId: '1',
      appSecret: 'x',
      verifyToken: 'x',
      graphUrl: 'https://graph.facebook.com',
      graphVersion: 'v25.0',
      loginUrl: 'https://www.facebook.com',
      loginConfigId: null,
      humanAgent: false,
    },
    twilioApiUrl: null,
  });
  const account = 'AC5e1f0c7b9a3d48e2b6f4017c2d9e8a35';
  const twilioRules = whatsapp.mediaRules({ account, address: 'whatsapp:+1', credentials: { authToken: 'x' } });
  const metaRules = messenger!.mediaRules({ account: '1', address: '1', credentials: {} });

  test.each([
    ['U-03', 'https://localhost./'],
    ['U-19', 'https://api.twilio.com@evil.example/'],
    ['U-20', 'https://api.twilio.com.evil.example/'],
    ['U-20', 'https://scontent.xx.fbcdn.net.evil.example/'],
    ['U-20', 'https://evilfbcdn.net/'],
    ['U-20', 'https://eviltwilio.com/'],
    ['U-21', 'https://evil.example/#api.twilio.com'],
    ['U-21', 'https://evil.example/?x=api.twilio.com'],
    ['plain http', 'http://api.twilio.com/'],
    ['plain http', 'http://scontent.xx.fbcdn.net/'],
  ])('%s %s is none of the providers’ hosts', async (_, address) => {
    let resolved = 0;
    const resolve = () => Promise.resolve([`203.0.113.${(resolved += 1)}`]);
    for (const rules of [twilioRules, metaRules]) {
      const { fetch } = await downloader({ rules, resolve });
      await expect(fetch(address)).rejects.toMatchObject(refused());
    }
    expect(resolved).toBe(0);
  });

  test.each([
    ['U-24 private', ['10.0.0.1']],
    ['U-24 loopback', ['127.0.0.1']],
    ['U-25 public and private', ['93.184.216.34', '10.0.0.1']],
    ['U-25 public and private v6', ['93.184.216.34', 'fd00::1']],
  ])('an allowed name that resolves to a forbidden address: %s', async (_, addresses) => {
    const { fetch } = await downloader({ rules: twilioRules, resolve: () => Promise.resolve(addresses) });

    await expect(fetch('https://api.twilio.com/x')).rejects.toMatchObject(refused('private_address'));
  });

  test('a name that resolves to nothing, or not at all, may be there later', async () => {
    for (const resolve of [() => Promise.resolve([]), () => Promise.reject(new Error('ENOTFOUND'))]) {
      const { fetch } = await downloader({ rules: twilioRules, resolve });
      await expect(fetch('https://api.twilio.com/x')).rejects.toMatchObject({ kind: 'retry', reason: 'name' });
    }
  });

  test('a name is asked for once, and the connection goes to just that address, whatever it says next (U-26)', async () => {
    const bytes = await image();
    const real = await host((_, response) => response.end(bytes));
    const port = real.name.split(':')[1]!;
    let asked = 0;
    const { fetch } = await downloader({
      extra: [{ ...real, name: `media.invalid:${port}` }],
      resolve: () => Promise.resolve([(asked += 1) === 1 ? '127.0.0.1' : '169.254.169.254']),
    });

    await fetch(`http://media.invalid:${port}/picture`);

    expect(asked).toBe(1);
    expect(real.connections()).toBe(1);
  });
});

describe('redirects', () => {
  test.each([
    ...private_.map(([id, name]) => [id, `https://${name}/`] as const),
    ['U-17', 'file:///etc/passwd'] as const,
    ['U-18', 'data:text/plain,x'] as const,
    ['U-23', 'https://user:pass@api.twilio.com/'] as const,
  ])('an allowed host that redirects to %s %s is not followed there (U-27)', async (_, target) => {
    const from = await host((__, response) => response.writeHead(302, { location: encodeURI(target) }).end());
    const { fetch, files } = await downloader({ extra: [from] });

    await expect(fetch(`${from.url}/media`)).rejects.toMatchObject(refused());
    expect(from.requests).toHaveLength(1);
    expect(await files()).toBe(0);
  });

  test('a loop, and more hops than a provider needs, end (U-28)', async () => {
    let hops = 0;
    const loop = await host((_, response) => response.writeHead(302, { location: `/${(hops += 1)}` }).end());
    const { fetch } = await downloader({ extra: [loop] });

    await expect(fetch(loop.url)).rejects.toMatchObject(refused('redirects'));
    expect(loop.requests.length).toBeLessThanOrEqual(4);
  });

  test('one without an address is no answer', async () => {
    const broken = await host((_, response) => response.writeHead(302).end());
    const { fetch } = await downloader({ extra: [broken] });

    await expect(fetch(broken.url)).rejects.toMatchObject(refused('redirect'));
  });

  test('the provider’s credentials go to its own address and to no other host', async () => {
    const bytes = await image();
    const store = await host((_, response) => response.end(bytes));
    const api = await host((_, response) => response.writeHead(307, { location: `${store.url}/file` }).end());
    const { fetch, bytes: stored } = await downloader({
      extra: [api, store],
      rules: {
        headersFor: (url): Record<string, string> =>
          url.origin === api.url ? { authorization: 'Basic c2VjcmV0' } : {},
      },
    });

    const media = await fetch(`${api.url}/media`);

    expect(api.requests[0]!.headers.authorization).toBe('Basic c2VjcmV0');
    expect(store.requests[0]!.headers).not.toHaveProperty('authorization');
    expect(store.requests[0]!.headers).not.toHaveProperty('cookie');
    expect(await stored(media.mediaKey)).toEqual(bytes);
  });

  test('Twilio’s credentials are for media of the channel’s own account only', () => {
    const { whatsapp } = createProviders({
      send: () => Promise.reject(new Error('no calls here')),
      publicUrl: 'https://inbox.example.com',
      meta: null,
      twilioApiUrl: null,
    });
    const own = 'AC5e1f0c7b9a3d48e2b6f4017c2d9e8a35';
    const rules = whatsapp.mediaRules({ account: own, address: 'whatsapp:+1', credentials: { authToken: 'token' } });
    const media = (account: string, origin = 'https://api.twilio.com'): URL =>
      new URL(`${origin}/2010-04-01/Accounts/${account}/Messages/MM${'0'.repeat(32)}/Media/ME${'0'.repeat(32)}`);

    expect(rules.headersFor(media(own))).toHaveProperty('authorization');
    expect(rules.headersFor(media('AC00000000000000000000000000000000'))).toEqual({});
    expect(rules.headersFor(media(own, 'https://mms.twiliocdn.com'))).toEqual({});
    expect(rules.headersFor(media(own, 'http://api.twilio.com'))).toEqual({});
    expect(rules.headersFor(new URL(`https://api.twilio.com/2010-04-01/Accounts/${own}.json`))).toEqual({});
  });
});

describe('what comes is bounded, and what it is is found in its bytes', () => {
  const limits = { maxBytes: 50_000, firstByteMs: 300, wholeMs: 900 };

  test.each<[string, RequestListener, object]>([
    [
      'U-31 one byte now and then',
      (_, response) => {
        const drip = setInterval(() => response.write('x'), 50);
        response.on('close', () => clearInterval(drip));
      },
      { kind: 'retry' },
    ],
    ['U-31 nothing after the headers', (_, response) => void response.flushHeaders(), { kind: 'retry' }],
    ['U-31 no answer at all', () => undefined, { kind: 'retry' }],
    [
      'U-32 endless',
      (_, response) => {
        const more = (): void => {
          while (!response.destroyed && response.write(Buffer.alloc(16_384)));
        };
        response.on('drain', more);
        more();
      },
      { kind: 'refused', reason: 'too_large' },
    ],
    [
      'U-32 shorter than it said',
      (request, response) => {
        response.writeHead(200, { 'content-length': 1_000 });
        response.write('x'.repeat(10));
        setTimeout(() => request.socket.destroy(), 20);
      },
      { kind: 'retry' },
    ],
    [
      'F-11 one byte over the limit, and says so',
      (_, response) => response.end(Buffer.alloc(50_001)),
      { kind: 'refused', reason: 'too_large' },
    ],
    [
      'U-33 compressed',
      (_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(1_000_000))),
      { kind: 'refused', reason: 'encoding' },
    ],
    ['gone', (_, response) => response.writeHead(410).end(), { kind: 'refused', reason: 'status' }],
    ['not there yet', (_, response) => response.writeHead(404).end(), { kind: 'retry', reason: 'status' }],
    ['failing', (_, response) => response.writeHead(503).end('<html>'), { kind: 'retry', reason: 'status' }],
    ['cut off', (request) => request.socket.destroy(), { kind: 'retry' }],
  ])('%s', async (_, answer, expected) => {
    const from = await host(answer);
    const { fetch, files } = await downloader({ extra: [from], limits });
    const begun = performance.now();

    await expect(fetch(from.url)).rejects.toMatchObject(expected);

    expect(performance.now() - begun).toBeLessThan(10_000);
    expect(await files()).toBe(0);
  });

  test('as much as is allowed is stored, and nothing too', async () => {
    const bodies = [Buffer.alloc(50_000, 'x'), Buffer.alloc(0)];
    const from = await host((_, response) => response.end(bodies.shift()));
    const { fetch, bytes } = await downloader({ extra: [from], limits });

    const [whole, empty] = [await fetch(from.url), await fetch(from.url)];

    expect([whole.size, empty.size]).toEqual([50_000, 0]);
    expect(await bytes(whole.mediaKey)).toEqual(Buffer.alloc(50_000, 'x'));
    expect(await bytes(empty.mediaKey)).toEqual(Buffer.alloc(0));
  });

  test.each([
    ['a picture', 'text/html', image, /^image\/(png|jpeg)$/],
    [
      'U-34, F-06 a page that says it is a picture',
      'image/jpeg',
      '<!doctype html><script>alert(1)</script>',
      /octet-stream/,
    ],
    [
      'F-07 a drawing with a script',
      'image/png',
      '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
      /xml|octet-stream/,
    ],
    ['F-08 both a GIF and a script', 'text/javascript', 'GIF89a/*\u0000*/=1;alert(1)', /^image\/gif$/],
  ] as const)('%s is what its bytes say, not its header', async (_, said, body, found) => {
    const bytes = typeof body === 'string' ? Buffer.from(body, 'latin1') : await body();
    const from = await host((__, response) => response.writeHead(200, { 'content-type': said }).end(bytes));
    const { fetch } = await downloader({ extra: [from] });

    expect((await fetch(from.url)).contentType).toMatch(found);
  });

  test('a picture said to be of 65,535 by 65,535 pixels is measured, not opened (F-09)', async () => {
    const bytes = Buffer.from(await image());
    const png = Buffer.concat([
      Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'),
      Buffer.from('0000ffff0000ffff0806000000', 'hex'),
      bytes.subarray(0, 100),
    ]);
    const from = await host((_, response) => response.end(png));
    const { fetch } = await downloader({ extra: [from] });

    expect(await fetch(from.url)).toMatchObject({ contentType: 'image/png', width: 65_535, height: 65_535 });
  });
});
