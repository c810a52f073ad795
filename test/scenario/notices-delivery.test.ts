// How notices arrive on good days and bad ones (N3, N4): bursts, a mail server that is away, browsers that are gone.
import { describe, expect, test } from 'vitest';
import { bothDatabases } from '../support/databases.ts';
import { all, allTold, none, setSwitches, watch } from '../support/notices.ts';
import { until } from '../support/wait.ts';
import { newNumber, world, type World } from '../support/world.ts';

const gathering = { environment: { MAIL_DEBOUNCE_MS: '20000' } };

async function customerOf(here: World, name: string) {
  const { number } = await here.whatsapp();
  const customer = here.sandbox.twilio.customer(newNumber(), { name });
  return { number, writes: (text: string) => customer.writes(text, { to: number }) };
}

/** Mails gather for twenty seconds, then go; less than a job is leased for, so that none under way is given to another. */
async function mailsGo(here: World): Promise<void> {
  await here.settled();
  here.clock.advance(21_000);
  await here.settled();
}

describe.each(bothDatabases)('on %s', (database) => {
  test('50 messages in one conversation: one notice on the desktop that is renewed, and one mail (N3, N4)', async () => {
    const here = await world({ database, ...gathering });
    await setSwitches(here.rep, all, all);
    const sara = await watch(here, here.rep);
    const customer = await customerOf(here, 'Hannah Berg');

    for (let index = 1; index <= 50; index += 1) await customer.writes(`Roof ${index}`);
    await here.settled();
    here.clock.advance(5_000);
    await until(() => JSON.stringify(sara.browser.received.at(-1)?.data).includes('Roof 50'), 'the last notice');
    await mailsGo(here);

    const { id } = await here.rep.conversationWith('Hannah Berg');
    const notices = sara.browser.received.map(({ data }) => data as { conversationId: string; title: string });
    expect(new Set(notices.map(({ conversationId }) => conversationId))).toEqual(new Set([id]));
    expect(notices.at(-1)?.title).toBe('Hannah Berg (50)');
    // The first at once, and then gathered: a burst must not ring fifty times.
    expect(notices.length).toBeLessThan(25);
    expect(new Set(sara.browser.received.map(({ topic }) => topic)).size).toBe(1);
    expect(sara.mails()).toHaveLength(1);
    expect(sara.mails()[0]).toMatchObject({ subject: '50 nya meddelanden från Hannah Berg' });
    expect(sara.mails()[0]!.text).toContain('Roof 50');
    await customer.writes('And one more');
    await mailsGo(here);
    expect(sara.mails()).toHaveLength(1);
    here.clock.advance(600_000);
    await until(() => sara.mails().length === 2, 'the next mail, ten minutes later');
    expect(sara.mails()[1]!.subject).toBe('Nytt meddelande från Hannah Berg');
  }, 60_000);

  test('50 conversations: 50 notices on the desktop, and one mail for all (N3, N4)', async () => {
    const here = await world({ database, ...gathering });
    await setSwitches(here.rep, all, all);
    const sara = await watch(here, here.rep);
    const { number } = await here.whatsapp();

    for (let index = 1; index <= 50; index += 1) {
      await here.sandbox.twilio.customer(newNumber(), { name: `Guest ${index}` }).writes('Hello', { to: number });
    }
    await until(() => sara.browser.received.length === 50, 'all notices');
    await mailsGo(here);

    const notices = sara.browser.received.map(({ data }) => (data as { conversationId: string }).conversationId);
    expect(new Set(notices).size).toBe(50);
    expect(sara.mails().map(({ subject }) => subject)).toEqual(['Nytt i 50 konversationer']);
    expect(sara.mails()[0]!.text).toContain('Och 30 konversationer till.');
  }, 60_000);

  test('a mail server that is away for an hour: what is still news comes after, and nothing twice (N4)', async () => {
    const here = await world({ database, ...gathering });
    await setSwitches(here.rep, none, all);
    await setSwitches(here.admin, none, none);
    const sara = await watch(here, here.rep);
    const hannah = await customerOf(here, 'Hannah Berg');
    const gustav = await customerOf(here, 'Gustav Ek');
    await here.sandbox.mail.goesDown();

    await hannah.writes('Is week 24 free?');
    await gustav.writes('What does it cost?');
    await mailsGo(here);
    for (let minute = 0; minute < 60; minute += 5) {
      here.clock.advance(300_000);
      await here.settled();
    }
    await hannah.writes('Hello?');
    const answered = await here.admin.conversationWith('Gustav Ek');
    await here.admin.sends(answered.id, '4,490 kr with fitting');
    await here.settled();
    await here.sandbox.mail.comesBack();
    await until(async () => {
      here.clock.advance(600_000);
      await here.settled();
      return sara.mails().length > 0;
    }, 'the mail');
    here.clock.advance(3_600_000);
    await here.settled();

    expect(here.sandbox.mail.deliveries).toHaveLength(1);
    expect(sara.mails()[0]).toMatchObject({ subject: '2 nya meddelanden från Hannah Berg' });
    expect(sara.mails()[0]!.text).toContain('Is week 24 free?');
    expect(sara.mails()[0]!.text).toContain('Hello?');
    expect(sara.mails()[0]!.text).not.toContain('Gustav');
  }, 60_000);

  test('a mail that was taken, but whose answer was lost, comes again under the same Message-ID (N4)', async () => {
    const here = await world({ database, ...gathering });
    await setSwitches(here.rep, none, all);
    await setSwitches(here.admin, none, none);
    const sara = await watch(here, here.rep);
    const customer = await customerOf(here, 'Hannah Berg');
    here.sandbox.mail.dropsNextAnswer();

    await customer.writes('Is week 24 free?');
    await mailsGo(here);
    here.clock.advance(2_000);
    await until(() => here.sandbox.mail.deliveries.length === 2, 'the repetition');
    await here.settled();

    const ids = new Set(here.sandbox.mail.deliveries.map(({ messageId }) => messageId));
    expect(ids.size).toBe(1);
    expect(sara.mails()).toHaveLength(1);
  }, 60_000);
});

test('no mail about what was read, answered, closed or taken by another before it left (N4)', async () => {
  const here = await world(gathering);
  await setSwitches(here.rep, none, all);
  await setSwitches(here.admin, none, none);
  const sara = await watch(here, here.rep);
  const { number } = await here.whatsapp();
  const started = async (name: string): Promise<string> => {
    await here.sandbox.twilio.customer(newNumber(), { name }).writes('Hello', { to: number });
    return (await here.rep.conversationWith(name)).id;
  };
  const [read, answered, closed, taken, left] = [
    await started('Read'),
    await started('Answered'),
    await started('Closed'),
    await started('Taken'),
    await started('Left'),
  ];

  const messages = await here.rep.messages(read);
  await here.rep.call('PUT', `/api/conversations/${read}/read`, { through: messages[0]!.id });
  await here.admin.sends(answered, 'Hello yourself');
  await here.admin.call('PUT', `/api/conversations/${closed}/status`, { status: 'closed' });
  await here.admin.call('PUT', `/api/conversations/${taken}/assignee`, { userId: here.admin.id });
  await mailsGo(here);

  expect(sara.mails()).toHaveLength(1);
  expect(sara.mails()[0]!.subject).toBe('Nytt meddelande från Left');
  expect(left).toBeTruthy();
});

test('two contacts that turn out to be one: the notice of the one that is no more goes, and the mail tells of both (C11, N3)', async () => {
  const here = await world(gathering);
  await setSwitches(here.rep, all, all);
  await setSwitches(here.admin, none, none);
  const sara = await watch(here, here.rep);
  const { number } = await here.whatsapp();
  const { twilio } = here.sandbox;
  const phone = newNumber();
  await twilio.customer(phone, { name: 'Lia by number', bsuid: null }).writes('Is week 24 free?', { to: number });
  const { id: stays } = await here.rep.conversationWith('Lia by number');
  const hidden = twilio.customer('BR.1A2B3C4D5E6F7A8B9C0D', { name: 'lia.design' });
  await hidden.writes('For three people', { to: number });
  const { id: goes } = await here.rep.conversationWith('lia.design');
  await until(() => sara.browser.received.length === 2, 'both notices');

  twilio.state.people.find(({ address }) => address === `whatsapp:${phone}`)!.userId = hidden.address;
  await twilio.customer(phone, { name: 'Lia' }).writes('Hello?', { to: number });
  await here.rep.conversationWith('Lia');
  here.clock.advance(5_000);
  await until(() => sara.browser.received.length === 4, 'what follows on the desktop');
  await mailsGo(here);

  const later = sara.browser.received.slice(2).map(({ data }) => data as { kind: string; conversationId: string });
  expect(later.map(({ kind, conversationId }) => [kind, conversationId]).sort()).toEqual([
    ['notice', stays],
    ['withdraw', goes],
  ]);
  expect(sara.mails().map(({ subject }) => subject)).toEqual(['3 nya meddelanden från Lia']);
  for (const words of ['Is week 24 free?', 'For three people', 'Hello?'])
    expect(sara.mails()[0]!.text).toContain(words);
});

test('a notice on the desktop is withdrawn when it is read, and one that still waits never shows (N3)', async () => {
  const here = await world(gathering);
  await setSwitches(here.rep, all, none);
  const sara = await watch(here, here.rep);
  const customer = await customerOf(here, 'Hannah Berg');
  await customer.writes('Is week 24 free?');
  const { id } = await here.rep.conversationWith('Hannah Berg');
  const read = async (): Promise<void> => {
    const messages = await here.rep.messages(id);
    await here.rep.call('PUT', `/api/conversations/${id}/read`, { through: messages.at(-1)!.id });
    await allTold(here, [sara]);
  };
  await until(() => sara.browser.received.length === 1, 'the notice');

  await read();
  expect(sara.browser.received.map(({ data }) => (data as { kind: string }).kind)).toEqual(['notice', 'withdraw']);
  sara.browser.turnsOff();
  await customer.writes('Or week 25?');
  await allTold(here, [sara]);
  expect(sara.browser.waiting.map(({ data }) => (data as { kind: string }).kind)).toEqual(['notice']);
  await read();
  sara.browser.turnsOn();

  expect(sara.browser.received.map(({ data }) => (data as { kind: string }).kind)).toEqual([
    'notice',
    'withdraw',
    'withdraw',
  ]);
});

test.each([404, 410])('a browser that is gone (%i) is forgotten, and the others are told (N3)', async (status) => {
  const here = await world(gathering);
  await setSwitches(here.rep, all, none);
  await setSwitches(here.admin, none, none);
  const gone = await watch(here, here.rep);
  const alive = await watch(here, here.rep);
  if (status === 410) gone.browser.unsubscribes();
  else {
    const path = new RegExp(new URL(gone.browser.subscription.endpoint).pathname);
    here.sandbox.faults.next('push', { path }, { kind: 'answer', status }, 1);
  }
  const customer = await customerOf(here, 'Hannah Berg');

  await customer.writes('Is week 24 free?');
  await until(() => alive.browser.received.length === 1, 'the notice');
  await here.settled();

  const left = await here.app.db.read((reader) => reader.query('select id from push_subscription'));
  expect(left).toHaveLength(1);
  expect(gone.browser.accepted).toEqual([]);
  const outcome = await here.rep.call('POST', '/api/me/notifications/test', { via: 'desktop' });
  expect(outcome.body).toMatchObject({ sent: true, reason: null });
});

test('a push service that is busy is asked again, and rings once (N3)', async () => {
  const here = await world(gathering);
  await setSwitches(here.rep, all, none);
  await setSwitches(here.admin, none, none);
  const sara = await watch(here, here.rep);
  here.sandbox.faults.next('push', {}, { kind: 'answer', status: 503, headers: { 'retry-after': '1' } }, 2);
  const customer = await customerOf(here, 'Hannah Berg');

  await customer.writes('Is week 24 free?');
  await until(() => {
    here.clock.advance(2_000);
    return sara.browser.received.length === 1;
  }, 'the notice');
  await here.settled();

  expect(sara.browser.accepted).toHaveLength(1);
});

test('an address inside, or without TLS, is none that we would push to (T-11)', async () => {
  const here = await world();
  const { keys } = here.sandbox.push.subscribe().subscription;

  for (const endpoint of [
    'http://push.example.com/x',
    'https://127.0.0.1/x',
    'https://[::1]/x',
    'https://169.254.169.254/latest/meta-data',
    'https://localhost/x',
    'https://intranet.local/x',
    'https://push.example.com:8443/x',
    'https://user:pass@push.example.com/x',
    'ftp://push.example.com/x',
  ]) {
    const answer = await here.rep.call('PUT', '/api/me/push-subscription', { endpoint, keys });
    expect.soft(answer.status, endpoint).toBe(422);
  }
});

test('a browser is its user’s alone: the next who signs in takes it over, and signing out gives it up', async () => {
  const here = await world();
  const browser = here.sandbox.push.subscribe();
  const owners = () =>
    here.app.db.read((reader) => reader.query<{ userId: string }>('select user_id from push_subscription'));
  const put = (user: typeof here.rep) => user.call('PUT', '/api/me/push-subscription', browser.subscription);

  await put(here.rep);
  await put(here.rep);
  await put(here.admin);
  expect(await owners()).toEqual([{ userId: here.admin.id }]);
  const { endpoint } = browser.subscription;
  await here.rep.call('DELETE', '/api/me/push-subscription', { endpoint });
  expect(await owners()).toEqual([{ userId: here.admin.id }]);
  await here.admin.call('DELETE', '/api/session');

  expect(await owners()).toEqual([]);
});
