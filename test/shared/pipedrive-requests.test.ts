// Whatever the app asks of Pipedrive is as Pipedrive describes it: method, path, parameters, body.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { priceOf } from '../../src/pipedrive/prices.ts';
import type { Link } from '../../src/web/contract.ts';
import { bridged } from '../support/leads-inbox.ts';
import { noted } from '../support/notes.ts';
import {
  recordRequests,
  requestFaults,
  tokenCost,
  type OpenApiDocument,
  type RecordedRequest,
} from '../support/openapi-requests.ts';
import { until } from '../support/wait.ts';
import { newNumber } from '../support/world.ts';

const contracts = join(import.meta.dirname, '../../../shared/contracts');
const documents = ['pipedrive-v1', 'pipedrive-v2'].map(
  (name) =>
    parse(readFileSync(join(contracts, `${name}.openapi.yaml`), 'utf8'), { maxAliasCount: -1 }) as OpenApiDocument,
);

const minute = 60_000;

test('every request to Pipedrive, from installing to uninstalling, is one that Pipedrive describes', async () => {
  const here = await bridged();
  const { sandbox, admin, rep, company, clock } = here;
  const { pipedrive } = sandbox;
  const { requests, stop } = recordRequests(pipedrive.url);
  // One of our webhooks was dropped, as those are that failed for days: whoever installs brings it back.
  pipedrive.state.webhooks.pop();
  const late = await here.install(pipedrive.addUser(company, { name: 'Tove Berg' }));
  const { number, channel } = await here.whatsapp();
  await until(() => here.inbox.channelOf(channel.id), 'the channel in Leads Inbox');

  // A linked one: searched for, created, with everything a form can hold, noted, read again, looked for.
  const phone = newNumber();
  const customer = sandbox.twilio.customer(phone, { name: 'Hannah' });
  await customer.writes('Hello', { to: number });
  const { id } = await admin.conversationWith('Hannah');
  const path = `/api/conversations/${id}/links`;
  const old = pipedrive.addPerson(company, { name: 'Hannah', phone: '+46 8 123 456' });
  pipedrive.addDeal(company, { title: 'Roof', person: old });
  const suggestions = await admin.call('GET', `/api/conversations/${id}/suggestions`);
  const searches = await Promise.all(
    ['person', 'lead', 'deal'].map((type) => admin.call('GET', `/api/records?type=${type}&q=Hannah`)),
  );
  const ofOrganization = await admin.call('GET', '/api/conversations?recordType=organization&recordId=1');
  const pipelines = await admin.call<{ data: { id: string; stages: { id: string }[] }[] }>('GET', '/api/pipelines');
  for (const lost of [/\/persons$/, /\/deals$/, /\/leads$/, /\/notes$/]) {
    sandbox.faults.next('pipedrive', { method: 'POST', path: lost }, { kind: 'do-then-drop' });
  }
  const [pipeline] = pipelines.body.data;
  const form = { ownerId: rep.id, value: { amount: 12_500.5, currency: 'SEK' } };
  const made = [
    await admin.call('POST', path, {
      type: 'deal',
      idempotencyKey: 'a deal for all of it',
      create: {
        title: 'Roof, new',
        person: { name: 'Hannah W', phone, email: 'hannah@example.com', ownerId: rep.id },
        pipelineId: pipeline!.id,
        stageId: pipeline!.stages[1]!.id,
        ...form,
      },
    }),
    await admin.call<{ data: Link[] }>('POST', path, {
      type: 'lead',
      idempotencyKey: 'and a lead beside it',
      create: { title: 'Later', ...form },
    }),
  ];
  await until(async () => {
    clock.advance(10_000);
    await noted(here);
    return pipedrive.state.notes.length >= 3;
  }, 'a note on each');
  await customer.writes('Is it there?', { to: number });
  await noted(here);
  await rep.sends(id, 'It is');
  await noted(here);

  // Records that change, with webhooks and without.
  const [lead] = pipedrive.state.leads;
  pipedrive.convertLead(lead!);
  await until(async () => {
    clock.advance(2_000);
    await here.settled();
    const { links } = (await admin.call<{ links: Link[] }>('GET', `/api/conversations/${id}`)).body;
    return links.filter(({ type }) => type === 'deal').length === 2;
  }, 'the deal that the lead became');
  pipedrive.state.webhooksDown = true;
  clock.advance(2 * minute);
  await customer.writes('Not heard of', { to: number });
  await noted(here);
  clock.advance(2 * minute);
  await here.settled();

  // Without a click.
  await admin.call('PATCH', '/api/settings', { autoLinkExactMatch: true, autoCreateLead: true });
  for (const name of ['Known', 'Unknown']) {
    const stranger = newNumber();
    if (name === 'Known') pipedrive.addPerson(company, { name, phone: stranger });
    await sandbox.twilio.customer(stranger, { name }).writes('Hello', { to: number });
  }
  await noted(here);

  // Days later, with the look that is taken once a day, and the end.
  here.expectInLog(/the notes were held against the messages/);
  clock.advance(30 * 60 * minute);
  await noted(here);
  admin.token = (await here.install(admin.pipedrive)).token;
  const deleted = await admin.call('DELETE', `/api/conversations/${id}`);
  await noted(here);
  const disconnected = await admin.call('DELETE', `/api/channels/${channel.id}`);
  await noted(here);
  const gone = await pipedrive.uninstall(late.pipedrive);
  stop();

  expect(
    [suggestions, ...searches, ofOrganization, pipelines, ...made, deleted, disconnected].map(({ status }) => status),
  ).toEqual([200, 200, 200, 200, 200, 200, 201, 201, 204, 204]);
  expect(gone).toBe(200);
  const calls = requests.filter(({ target }) => !target.startsWith('/oauth/')).map(described);
  expect([...new Set(calls.map(shapeOf))].sort()).toEqual([
    'DELETE /v1/channels/…',
    'DELETE /v1/channels/…/conversations/…',
    'GET /api/v2/deals',
    'GET /api/v2/deals/search',
    'GET /api/v2/deals/…',
    'GET /api/v2/leads/search',
    'GET /api/v2/persons',
    'GET /api/v2/persons/search',
    'GET /api/v2/persons/…',
    'GET /api/v2/pipelines',
    'GET /api/v2/stages',
    'GET /v1/leads',
    'GET /v1/leads/…',
    'GET /v1/notes',
    'GET /v1/notes/…',
    'GET /v1/users',
    'GET /v1/users/me',
    'GET /v1/webhooks',
    'POST /api/v2/deals',
    'POST /api/v2/persons',
    'POST /v1/channels',
    'POST /v1/channels/messages/receive',
    'POST /v1/leads',
    'POST /v1/notes',
    'POST /v1/webhooks',
    'PUT /v1/notes/…',
  ]);
  expect(requestFaults(calls, ...documents)).toEqual([]);

  // We and the stand-in reckon with the same prices: what is counted with it (`npm run cost`) is what Pipedrive would count.
  const priced = new Map(pipedrive.calls.map(({ method, path: target, cost }) => [`${method} ${target}`, cost]));
  const wrong = [...priced].filter(([call, cost]) => {
    const [method, target] = call.split(' ') as [string, string];
    const official = tokenCost(described({ method, target, contentType: '', body: '' }), ...documents);
    return !target.includes('/channels') && (official !== cost || priceOf(method, target) !== official);
  });
  expect(wrong).toEqual([]);
});

/** The first version has two prefixes; its description knows the older one. And this machine's address is nobody's on the web. */
function described(request: RecordedRequest): RecordedRequest {
  return {
    ...request,
    target: request.target.replace(/^\/api\/v1\//, '/v1/'),
    body: request.body.replaceAll(/http:\/\/127\.0\.0\.1:\d+/g, 'https://inbox.example'),
  };
}

function shapeOf({ method, target }: RecordedRequest): string {
  const path = target.replace(/\?.*/, '');
  return `${method} ${path.replace(/\/(\d+|[0-9a-f]{8}-[0-9a-f-]{27}|[0-9A-Za-z-]*\d[0-9A-Za-z-]{5,})(?=\/|$)/g, '/…')}`;
}

test('what Pipedrive does not describe is found, each fault by its place', () => {
  const of = (method: string, target: string, body?: object) =>
    requestFaults(
      [{ method, target, contentType: body ? 'application/json' : '', body: body ? JSON.stringify(body) : '' }],
      ...documents,
    ).map((fault) => fault.split(': ')[1]);

  expect(
    of('POST', '/api/v2/persons', { name: 'Anna', phones: [{ value: '+461', primary: true, label: 'x' }] }),
  ).toEqual([]);
  expect(of('POST', '/api/v2/persons', { name: 'Anna', phone: '+461' })).toEqual(['body phone is no known name']);
  expect(of('POST', '/v1/leads', { title: 'A lead', person_id: '7' })).toHaveLength(1);
  expect(of('PUT', '/v1/notes/many', { content: 'x' })).toHaveLength(1);
  expect(of('GET', '/api/v2/deals?updated_after=2026-11-01')).toEqual(['query updated_after is no known name']);
  expect(of('PATCH', '/v1/notes/1', { content: 'x' })).toEqual(['no such call']);
});
