// WhatsApp templates: found, filled, previewed as the customer reads them, sent and shown (C7, C9).
import { describe, expect, test } from 'vitest';
import type { Message, Template } from '../../src/web/contract.ts';
import { bothDatabases, type DatabaseKind } from '../support/databases.ts';
import { until } from '../support/wait.ts';
import { newNumber, signedIn, world } from '../support/world.ts';

interface Refused {
  readonly error: { code: string; message: string; details: { reason?: string; fields?: Record<string, string> } };
}

/** A conversation whose reply window is over. */
async function afterTheWindow(database: DatabaseKind = 'sqlite') {
  const here = await world({ database });
  const { channel, number } = await here.whatsapp();
  const { twilio } = here.sandbox;
  const account = [...twilio.state.accounts.values()].at(-1)!;
  const customer = twilio.customer(newNumber(), { name: 'Johan Mattsson' });
  await customer.writes('Hej!', { to: number });
  const conversation = await here.rep.conversationWith('Johan Mattsson');
  const visit = twilio.addTemplate(account, {
    name: 'visit_reminder',
    language: 'sv',
    body: '',
    variables: { 1: 'Anna', 2: 'fredag' },
    types: {
      'twilio/quick-reply': {
        body: 'Hej {{1}}! Vi kommer på {{2}}.',
        actions: [{ type: 'QUICK_REPLY', title: 'Det passar', id: 'ok' }],
      },
      'twilio/text': { body: 'Hej {{1}}! Vi kommer på {{2}}.' },
    },
  });
  twilio.addTemplate(account, { name: 'not_yet', body: 'Soon', status: 'pending' });
  here.clock.advance(24 * 3_600_000 + 1_000);
  here.rep.token = (await signedIn(here.url, here.sandbox, here.rep.pipedrive)).token;
  const posts = <Body = Message>(body: object) =>
    here.rep.call<Body>('POST', `/api/conversations/${conversation.id}/messages`, {
      clientMessageId: `c${Math.random()}`,
      ...body,
    });
  const lists = async () =>
    (await here.rep.call<{ data: Template[] }>('GET', `/api/channels/${channel.id}/templates`)).body.data;
  return { ...here, here, twilio, account, channel, customer, conversation, visit, posts, lists };
}

describe.each(bothDatabases)('on %s', (database) => {
  test('after the window a template is found, filled, sent and shown; free text is refused (C9)', async () => {
    const { here, rep, customer, conversation, visit, posts, lists } = await afterTheWindow(database);

    expect(await lists()).toEqual([
      {
        id: visit.sid,
        name: 'visit_reminder',
        language: 'sv',
        body: 'Hej {{1}}! Vi kommer på {{2}}.',
        variables: [
          { name: '1', example: 'Anna' },
          { name: '2', example: 'fredag' },
        ],
        buttons: ['Det passar'],
        category: 'utility',
      },
    ]);
    expect((await posts<Refused>({ text: 'Hej igen' })).body.error.code).toBe('reply_window_closed');
    const sent = await posts({ template: { id: visit.sid, variables: { 1: 'Johan', 2: 'måndag' } } });
    await until(() => customer.inbox.length === 1, 'the template on the phone');
    await here.settled();

    expect(sent.status).toBe(202);
    expect(customer.inbox[0]).toMatchObject({ body: 'Hej Johan! Vi kommer på måndag.', contentSid: visit.sid });
    expect((await rep.messages(conversation.id)).at(-1)).toMatchObject({
      kind: 'template',
      text: 'Hej Johan! Vi kommer på måndag.',
      status: 'delivered',
      details: { template: { id: visit.sid, name: 'visit_reminder', variables: { 1: 'Johan', 2: 'måndag' } } },
    });
    expect((await rep.section('all'))[0]).toMatchObject({ replyWindowOpen: false });
  });
});

test('every variable is asked for, and none that WhatsApp would refuse is taken', async () => {
  const { here, customer, visit, posts } = await afterTheWindow();
  const wrong: [object, string, Record<string, string>][] = [
    [{}, 'incomplete', { 1: 'required', 2: 'required' }],
    [{ 1: 'Johan', 2: '  ' }, 'incomplete', { 2: 'required' }],
    [{ 1: 'Jo\nhan', 2: 'x' }, 'values', { 1: 'spaces' }],
    [{ 1: 'Johan', 2: 'x     y' }, 'values', { 2: 'spaces' }],
    [{ 1: 'Johan', 2: 'x', 3: 'z' }, 'values', { 3: 'unknown' }],
  ];

  for (const [variables, reason, fields] of wrong) {
    const answer = await posts<Refused>({ template: { id: visit.sid, variables } });
    expect.soft([answer.status, answer.body.error.code], JSON.stringify(variables)).toEqual([422, 'template_refused']);
    expect.soft(answer.body.error.details).toEqual({ reason, fields });
  }
  const unknown = await posts<Refused>({ template: { id: `HX${'0'.repeat(32)}`, variables: {} } });
  const both = await posts<Refused>({ text: 'and text', template: { id: visit.sid, variables: { 1: 'a', 2: 'b' } } });
  const long = await posts<Refused>({ template: { id: visit.sid, variables: { 1: 'a', 2: 'b'.repeat(1_100) } } });

  expect(unknown.body.error).toMatchObject({ code: 'template_refused', details: { reason: 'unknown' } });
  expect(both.body.error).toMatchObject({ code: 'invalid', details: { fields: { template: 'stands_alone' } } });
  expect(long.body.error.code).toBe('too_long');
  await here.settled();
  expect(customer.inbox).toHaveLength(0);
});

test('the list is asked for once in a while, and anew when a template turns out to be unusable', async () => {
  const { here, rep, twilio, conversation, visit, posts, lists, clock } = await afterTheWindow();
  const asked = () => twilio.calls.filter(({ path }) => path === '/v1/ContentAndApprovals').length;

  await Promise.all([lists(), lists(), lists()]);
  expect(asked()).toBe(1);
  clock.advance(5 * 60_000 + 1);
  await lists();
  expect(asked()).toBe(2);

  twilio.state.templates.delete(visit.sid);
  const sent = await posts({ template: { id: visit.sid, variables: { 1: 'Johan', 2: 'måndag' } } });
  await until(
    async () => (await rep.messages(conversation.id)).find(({ id }) => id === sent.body.id)?.status === 'failed',
    'the refusal',
  );
  expect((await rep.messages(conversation.id)).at(-1)).toMatchObject({
    error: { code: 'template_unusable', providerCode: '21655' },
  });
  expect(await lists()).toEqual([]);
  await here.settled();
});
