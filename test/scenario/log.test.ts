// What the log holds: ids and words of ours. Never a customer's words, name or number, never a token, whatever goes wrong
// (O1; house rules on logging; L-01 to L-08).
import { request } from 'node:http';
import { expect, test } from 'vitest';
import { until } from '../support/wait.ts';
import { signedIn, world } from '../support/world.ts';

const canary = 'kanariefågel';

test('a whole day of good and bad things leaves none of the customers’ words and no secret in the log', async () => {
  const here = await world({ environment: { LOG_LEVEL: 'trace' } });
  here.expectInLog(/.*/);
  const { sandbox, rep, admin } = here;
  const { number } = await here.whatsapp();
  const { page } = await here.messenger();
  const account = [...sandbox.twilio.state.accounts.values()][0]!;
  const phone = '+46701112233';
  const customer = sandbox.twilio.customer(phone, { name: `Hannah ${canary}` });
  const friend = sandbox.meta.customer({ name: `Gustav ${canary}` });

  // What works: both ways, on both channels, linked, with a note.
  await customer.writes(`Hej, ${canary}!`, { to: number });
  await friend.writes(`Hallå, ${canary}!`, { to: page });
  const conversation = await rep.conversationWith(`Hannah ${canary}`);
  await rep.sends(conversation.id, `Svar ${canary}`);
  await admin.links(conversation.id, {
    type: 'person',
    create: { name: `Hannah ${canary}`, phone },
    idempotencyKey: 'log-person-1',
  });
  await here.settled();

  // What does not: vendors that fail and quote what they were given (L-01, L-03).
  const quoting = { code: 20500, message: `${account.authToken} ${canary} ${phone}`, status: 500 };
  sandbox.faults.next(
    'twilio',
    { method: 'POST', path: /Messages\.json/ },
    { kind: 'answer', status: 500, body: quoting },
  );
  sandbox.faults.next('pipedrive', {}, { kind: 'answer', status: 500, body: { success: false, error: canary } }, 2);
  sandbox.faults.next('meta', {}, { kind: 'answer', status: 500, body: { error: { message: canary, code: 2 } } }, 2);
  await rep.sends(conversation.id, `Igen ${canary}`);
  await rep.call('GET', `/api/records?type=person&q=${encodeURIComponent(canary)}`);
  await rep.call('GET', `/api/conversations?q=${encodeURIComponent(canary)}`);
  // Requests that are refused (L-02, L-04).
  await rep.call('POST', `/api/conversations/${conversation.id}/messages`, {
    text: [canary],
    clientMessageId: { canary },
  });
  await rep.call('PUT', `/api/conversations/${conversation.id}/assignee`, { userId: canary });
  await admin.call('POST', '/api/channels/whatsapp', {
    accountSid: canary,
    authToken: `${canary}-token`,
    sender: phone,
  });
  for (const path of [
    `/api/conversations/${encodeURIComponent(canary)}`,
    `/${encodeURIComponent(canary)}?token=${rep.token}`,
    `/oauth/callback?code=${encodeURIComponent(canary)}&state=${encodeURIComponent(canary)}`,
    `/ui/window?token=${sandbox.pipedrive.signedToken(rep.pipedrive)}&id=${encodeURIComponent(canary)}`,
    `/media/${encodeURIComponent(canary)}?s=${encodeURIComponent(canary)}`,
  ]) {
    await fetch(here.url + path, { redirect: 'manual' });
  }
  // Lines of somebody else’s making, colours, and headers without end (L-06 to L-08).
  await ask(here.url, { 'user-agent': `\\n{"level":"info","msg":"${canary}"}`, 'x-forwarded-for': canary.slice(0, 6) });
  await ask(here.url, { 'user-agent': 'u'.repeat(20_000) });
  const bad = await fetch(`${here.url}/webhooks/messenger`, {
    method: 'POST',
    headers: { 'x-hub-signature-256': `sha256=${'0'.repeat(64)}` },
    body: `{"object":"${canary}\\n{\\"level\\":\\"fatal\\"}"}`,
  });
  // Somebody’s rights end, and he comes back.
  await signedIn(here.url, sandbox, admin.pipedrive);
  await until(async () => {
    const messages = await rep.messages(conversation.id);
    return messages.every(({ status }) => status !== 'queued');
  }, 'an outcome of every reply');
  await here.settled();
  await here.stop();

  const lines = here.log.map((line) => JSON.stringify(line));
  expect(bad.status).toBe(403);
  expect(lines.length).toBeGreaterThan(30);
  const secrets = {
    'a customer’s words or name': canary,
    'the number of a customer': phone.slice(1),
    'the number of a channel': number.slice(1),
    'the e-mail of a user': '@',
    'the auth token of Twilio': account.authToken,
    'the token of a session': rep.token,
    'the token of a Page': [...sandbox.meta.state.tokens].find(([, { pageId }]) => pageId === page.id)![0],
    'an access token of Pipedrive': sandbox.pipedrive.state.grants[0]!.accessToken,
    'a refresh token of Pipedrive': sandbox.pipedrive.state.grants[0]!.refreshToken,
    'a client secret': here.environment.PIPEDRIVE_CLIENT_SECRET!,
    'the secret of the app at Meta': here.environment.META_APP_SECRET!,
    'an authorization header': 'Bearer ',
    'the query of an address': '?',
  };
  for (const [what, secret] of Object.entries(secrets)) {
    expect.soft(secret.length, what).toBeGreaterThan(0);
    expect.soft(lines.filter((line) => line.includes(secret)).slice(0, 2), what).toEqual([]);
  }
  // One object a line, with the level ours and a time.
  for (const line of here.log)
    expect.soft(line).toMatchObject({ level: expect.any(String) as string, time: expect.any(Number) as number });
});

test('one correlation id leads from a webhook through its jobs (O3)', async () => {
  const here = await world();
  const { number } = await here.whatsapp();
  const customer = here.sandbox.twilio.customer('+46701112244', { name: 'Hannah' });
  await customer.writes('one', { to: number });
  await here.settled();

  const jobs = here.log.filter(({ msg, task }) => msg === 'job done' && task === 'receive-message');
  const ids = new Set(jobs.map(({ correlationId }) => correlationId));

  expect(jobs.length).toBeGreaterThan(0);
  expect(ids.size).toBe(jobs.length);
  expect([...ids].every((id) => typeof id === 'string' && id.length > 10)).toBe(true);
});

/** A request with headers that `fetch` would not let out. */
function ask(url: string, headers: Record<string, string>): Promise<void> {
  return new Promise((resolve) => {
    const sent = request(`${url}/health/live`, { headers }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve());
    });
    sent.on('error', () => resolve());
    sent.end();
  });
}
