// The one way out: every answer of a hostile or broken vendor has a bounded end and a kind that says what to do (T-30; V-01 to V-16).
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { UpstreamError } from '../../../src/base/errors.ts';
import { createHttp, retryAfter, upstreamFailure, type OutgoingRequest } from '../../../src/base/http.ts';
import { createMetrics } from '../../../src/base/metrics.ts';

async function vendor(answer: RequestListener) {
  let requests = 0;
  const server = createServer((request, response) => {
    requests += 1;
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/path`, requests: () => requests };
}

function door(options: Parameters<typeof createHttp>[0] = {}) {
  const http = createHttp(options);
  onTestFinished(() => http.close());
  return (url: string, more: Partial<OutgoingRequest> = {}) =>
    http.send({ service: 'pipedrive', method: 'GET', url, ...more });
}

const failureOf = (sent: Promise<unknown>): Promise<UpstreamError> =>
  sent.then(
    () => Promise.reject(new Error('it was answered')),
    (error: unknown) => error as UpstreamError,
  );

test.each([
  ['JSON', '{"success":true}', { success: true }],
  ['HTML (V-01)', '<html></html>', undefined],
  ['nothing (V-02)', '', undefined],
  ['half of it (V-03)', '{"success":tr', undefined],
])('an answer of %s comes through whole, read as JSON only where it is', async (_, body, json) => {
  const { url } = await vendor((__, response) => response.writeHead(200, { 'X-Name': 'a' }).end(body));

  const answer = await door()(url);

  expect(answer.status).toBe(200);
  expect(answer.headers['x-name']).toBe('a');
  expect(answer.body.toString()).toBe(body);
  expect(answer.json).toEqual(json);
});

test('a redirect is an answer and is not followed, so that no authorization travels (V-08)', async () => {
  const elsewhere = await vendor((_, response) => response.end());
  const { url } = await vendor((_, response) => response.writeHead(302, { location: elsewhere.url }).end());

  const answer = await door()(url, { headers: { authorization: 'Bearer x' } });

  expect(answer.status).toBe(302);
  expect(elsewhere.requests()).toBe(0);
});

describe.each([
  ['GET', 'retry'],
  ['POST', 'unknown'],
] as const)('with %s, which may be repeated or not', (method, afterLeaving) => {
  test.each<[string, RequestListener, Partial<OutgoingRequest>]>([
    ['reset after the request (V-12)', (request) => request.socket.destroy(), {}],
    ['no answer in time (V-06)', () => undefined, { timeoutMs: 150 }],
    [
      'a byte now and then (V-06)',
      (_, response) => {
        const drip = setInterval(() => response.write('x'), 20);
        response.on('close', () => clearInterval(drip));
      },
      { timeoutMs: 200 },
    ],
    ['more than is taken (V-05)', (_, response) => response.end(Buffer.alloc(200_000)), { maxBytes: 100_000 }],
    [
      'cut off in its middle',
      (request, response) => {
        response.writeHead(200, { 'content-length': 1_000 });
        response.write('x');
        setTimeout(() => request.socket.destroy(), 10);
      },
      {},
    ],
  ])(`${'%s'} is ${afterLeaving}, and nothing is sent a second time`, async (_, answer, more) => {
    const { url, requests } = await vendor(answer);

    const error = await failureOf(door()(url, { method, ...more }));

    expect(error).toBeInstanceOf(UpstreamError);
    expect(error).toMatchObject({ service: 'pipedrive', kind: afterLeaving });
    expect(requests()).toBe(1);
  });

  test('a refused connection and an unknown name never left: they may be tried again (V-14, R-03)', async () => {
    const gone = createTcpServer();
    await new Promise<void>((resolve) => gone.listen(0, '127.0.0.1', resolve));
    const { port } = gone.address() as AddressInfo;
    await new Promise((resolve) => gone.close(resolve));

    expect(await failureOf(door()(`http://127.0.0.1:${port}/`, { method }))).toMatchObject({ kind: 'retry' });
    expect(await failureOf(door()('http://no-such-host.invalid/', { method }))).toMatchObject({ kind: 'retry' });
  });
});

test('an address that may not be called is not called', async () => {
  const { url, requests } = await vendor((_, response) => response.end());

  await expect(door({ mayCall: () => false })(url)).rejects.toThrow('may not be called');

  expect(requests()).toBe(0);
});

test('every outcome is counted, by service', async () => {
  const metrics = createMetrics();
  const { url } = await vendor((request, response) =>
    request.method === 'POST' ? request.socket.destroy() : response.writeHead(429).end(),
  );
  const send = door({ metrics });

  await send(url);
  await failureOf(send(url, { method: 'POST' }));

  const { values } = await metrics.upstream.get();
  expect(values.map(({ labels, value }) => [labels.service, labels.outcome, value])).toEqual([
    ['pipedrive', '429', 1],
    ['pipedrive', 'unknown', 1],
  ]);
});

test('an error holds machine words only: no token, no address, no body (L-01 to L-03)', async () => {
  const { url } = await vendor((request) => request.socket.destroy());

  const error = await failureOf(
    door()(`${url}?api_token=canary-query`, {
      method: 'POST',
      headers: { authorization: 'Bearer canary-header' },
      body: 'canary-body',
    }),
  );

  expect(error.message).toMatch(/^pipedrive unknown [\w ]+$/);
});

test.each([
  ['2', 2_000],
  ['0', 0],
  ['99999999', 3_600_000],
  ['-1', undefined],
  ['abc', undefined],
  ['', undefined],
  ['Wed, 21 Oct 2015 07:28:00 GMT', undefined],
  ['Wed, 21 Oct 2099 07:28:00 GMT', 3_600_000],
])('Retry-After: %s asks for %s ms (V-07)', (value, ms) => {
  expect(retryAfter({ 'retry-after': value })).toBe(ms);
});

test.each([
  [401, 'GET', 'reconnect'],
  [429, 'POST', 'retry'],
  [408, 'POST', 'retry'],
  [500, 'GET', 'retry'],
  [500, 'POST', 'unknown'],
  [302, 'POST', 'unknown'],
  [302, 'GET', 'retry'],
  [400, 'POST', 'refused'],
  [404, 'GET', 'refused'],
  [422, 'DELETE', 'refused'],
] as const)('the status %d to a %s asks for: %s (R-03)', (status, method, kind) => {
  const response = { status, headers: { 'retry-after': '3' }, body: Buffer.alloc(0), json: undefined };

  expect(upstreamFailure('meta', response, method, { providerCode: '1' })).toMatchObject({
    kind,
    status,
    providerCode: '1',
    retryAfterMs: 3_000,
  });
});
