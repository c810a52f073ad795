// Linking: once, whatever gets lost; finished where a part failed; and following the records (L1 to L7).
import { describe, expect, test } from 'vitest';
import type { Conversation, Link, Suggestion, TimelineEntry } from '../../src/web/contract.ts';
import { bothDatabases, type DatabaseKind } from '../support/databases.ts';
import { counts, linkedCustomer, noted } from '../support/notes.ts';
import { until } from '../support/wait.ts';
import { newNumber, world, type World } from '../support/world.ts';

interface LinkAnswer {
  data: Link[];
  failed?: { type: string; code: string; message: string }[];
}

async function talking(here: World, number: string, name: string) {
  const phone = newNumber();
  const customer = here.sandbox.twilio.customer(phone, { name });
  await customer.writes('Hello', { to: number });
  return { customer, phone, conversation: await here.admin.conversationWith(name) };
}

async function begun(database: DatabaseKind) {
  const here = await world({ database });
  const { number } = await here.whatsapp();
  return { here, number, ...here };
}

const links = async ({ admin }: World, conversation: Conversation): Promise<Link[]> =>
  (await admin.call<Conversation>('GET', `/api/conversations/${conversation.id}`)).body.links;

/** Moves the clock as the app would live through it, until a look shows what it should. */
async function within90Seconds(here: World, look: () => Promise<boolean>, what: string): Promise<void> {
  const begin = here.clock.ms();
  await until(async () => {
    await here.settled();
    if (await look()) return true;
    here.clock.advance(5_000);
    return false;
  }, what);
  expect(here.clock.ms() - begin).toBeLessThan(90_000);
}

describe.each(bothDatabases)('on %s', (database) => {
  test('a creation whose answer is lost, a double click and a second try make one record of each kind (L4)', async () => {
    const { here, number, sandbox, admin } = await begun(database);
    const { state } = sandbox.pipedrive;
    for (const [type, path] of [
      ['person', /\/persons$/],
      ['lead', /\/leads$/],
      ['deal', /\/deals$/],
    ] as const) {
      for (const fault of [
        { kind: 'do-then-drop' },
        { kind: 'do-then-answer', status: 502, body: '<html>' },
      ] as const) {
        const name = `${type} ${fault.kind}`;
        const { conversation } = await talking(here, number, name);
        sandbox.faults.next('pipedrive', { method: 'POST', path }, fault);
        const request = {
          type,
          create: type === 'person' ? { name } : { title: name },
          idempotencyKey: `key ${name}`,
        };

        const answers = await Promise.all(
          [1, 2].map(() => admin.call<LinkAnswer>('POST', `/api/conversations/${conversation.id}/links`, request)),
        );
        const again = await admin.call<LinkAnswer>('POST', `/api/conversations/${conversation.id}/links`, request);

        expect
          .soft(
            [...answers, again].map(({ status }) => status),
            name,
          )
          .toEqual([201, 201, 201]);
        expect
          .soft(
            state.persons.filter((person) => person.name === name),
            name,
          )
          .toHaveLength(1);
        const made = [...state.deals, ...state.leads].filter(({ title }) => title === name);
        expect.soft(made, name).toHaveLength(type === 'person' ? 0 : 1);
        const kinds = type === 'person' ? ['person'] : ['person', type];
        expect.soft((await links(here, conversation)).map((link) => link.type).sort(), name).toEqual(kinds.sort());
      }
    }
    await noted(here);
  });

  test('a part that fails keeps what was made, says why, and is finished by the same demand (L7)', async () => {
    const { here, number, sandbox, admin } = await begun(database);
    const { conversation } = await talking(here, number, 'Half made');
    sandbox.faults.next(
      'pipedrive',
      { method: 'POST', path: /\/deals$/ },
      { kind: 'answer', status: 403, body: { success: false, error: 'limit', code: 'feature_capping_deals_limit' } },
    );
    const request = { type: 'deal', create: { title: 'Roof' }, idempotencyKey: 'key half made' };
    const demand = () => admin.call<LinkAnswer>('POST', `/api/conversations/${conversation.id}/links`, request);

    const first = await demand();
    const second = await demand();

    expect(first.status).toBe(207);
    expect(first.body.data.map(({ type }) => type)).toEqual(['person']);
    expect(first.body.failed).toMatchObject([{ type: 'deal', code: 'forbidden' }]);
    expect(first.body.failed![0]!.message).not.toBe('');
    expect(second.status).toBe(201);
    expect(sandbox.pipedrive.state.persons.filter(({ name }) => name === 'Half made')).toHaveLength(1);
    expect(sandbox.pipedrive.state.deals.filter(({ title }) => title === 'Roof')).toHaveLength(1);
    expect((await links(here, conversation)).map(({ type }) => type)).toEqual(['person', 'deal']);
    await noted(here);
  });

  test('who it may be is found by number however it is written, and by name, with the reason (L3, C11)', async () => {
    const { here, number, sandbox, admin, company } = await begun(database);
    const phone = '+5511987654321';
    const customer = sandbox.twilio.customer(phone, { name: 'Ana Souza' });
    await customer.writes('Oi', { to: number });
    const conversation = await admin.conversationWith('Ana Souza');
    const old = sandbox.pipedrive.addPerson(company, { name: 'A. Souza', phone: '+55 11 8765-4321' });
    sandbox.pipedrive.addDeal(company, { title: 'Telhado', person: old });
    sandbox.pipedrive.addPerson(company, { name: 'Ana Souza', phone: '+55 21 3333-4444' });
    sandbox.pipedrive.addPerson(company, { name: 'Somebody else', phone: '+46 70 000 00 01' });

    const found = await admin.call<{ data: Suggestion[] }>('GET', `/api/conversations/${conversation.id}/suggestions`);

    expect(found.body.data).toMatchObject([
      { name: 'A. Souza', reasonCode: 'same_number_written_differently', openDeals: [{ title: 'Telhado' }] },
      { name: 'Ana Souza', reasonCode: 'same_name' },
    ]);
    const second = { type: 'person', recordId: found.body.data[1]!.recordId };
    await admin.links(conversation.id, { type: 'person', recordId: String(old.id) });
    const refused = await admin.call<{ error: { code: string } }>(
      'POST',
      `/api/conversations/${conversation.id}/links`,
      second,
    );
    expect([refused.status, refused.body.error.code]).toEqual([409, 'person_linked']);
    await noted(here);
  });

  test('unlinking ends the notes and keeps those that are written (L5)', async () => {
    const { here, number, admin } = await begun(database);
    const customer = await linkedCustomer(here, number);
    const path = `/api/conversations/${customer.conversation.id}/links/${customer.link.id}`;

    expect((await admin.call('DELETE', path)).status).toBe(204);
    await customer.writes('Nobody notes this');
    await noted(here);

    expect(customer.notes()).toHaveLength(1);
    expect(counts(customer.notes(), ['Hello', 'Nobody notes this'])).toEqual([1, 0]);
  });

  test('a merged record is followed, a deleted one shown as broken and mended, a converted lead becomes its deal (L6)', async () => {
    const { here, number, sandbox, admin, company } = await begun(database);
    const { pipedrive } = sandbox;
    const customer = await linkedCustomer(here, number, { name: 'Followed' });
    const { conversation } = customer;
    const deal = pipedrive.addDeal(company, { title: 'Roof', person: customer.person });
    const lead = pipedrive.addLead(company, { title: 'Maybe a roof', person: customer.person });
    await admin.links(conversation.id, { type: 'deal', recordId: String(deal.id) });
    await admin.links(conversation.id, { type: 'lead', recordId: lead.id });
    await noted(here);
    expect(pipedrive.state.webhooks.map(({ object }) => object).sort()).toEqual(['deal', 'lead', 'note', 'person']);
    const linked = async (type: string) => (await links(here, conversation)).filter((link) => link.type === type);

    const survivor = pipedrive.addPerson(company, { name: 'Followed, the older' });
    pipedrive.mergePersons(customer.person, survivor);
    await within90Seconds(
      here,
      async () => (await linked('person'))[0]!.recordId === String(survivor.id),
      'the link at the survivor',
    );
    await customer.writes('after the merge');
    await noted(here);
    expect(pipedrive.notesOf('person', survivor.id)).toHaveLength(1);
    expect(pipedrive.notesOf('person', survivor.id)[0]!.content).toContain('after the merge');

    pipedrive.archiveLead(lead);
    await within90Seconds(here, async () => (await linked('lead'))[0]!.reason === 'archived', 'the archived lead');
    const converted = pipedrive.convertLead(lead);
    await within90Seconds(
      here,
      async () => (await linked('deal')).some(({ recordId }) => recordId === String(converted.id)),
      'the link at the deal',
    );
    expect(await linked('lead')).toEqual([]);

    pipedrive.deleteRecord(deal);
    const broken = async () => (await linked('deal')).find(({ recordId }) => recordId === String(deal.id));
    await within90Seconds(here, async () => (await broken())?.state === 'broken', 'the broken link');
    expect(await broken()).toMatchObject({ reason: 'deleted' });
    await customer.writes('while it is broken');
    await noted(here);
    const path = `/api/conversations/${conversation.id}/links/${(await broken())!.id}`;
    expect((await admin.call('PUT', path, {})).status).toBe(422);
    const next = pipedrive.addDeal(company, { title: 'Roof, anew', person: survivor });
    const mended = await admin.call<LinkAnswer>('PUT', path, { recordId: String(next.id) });
    await noted(here);
    expect(mended.body.data[0]).toMatchObject({ state: 'active', title: 'Roof, anew', reason: null });
    expect(pipedrive.notesOf('deal', next.id)[0]!.content).toContain('while it is broken');

    const timeline = await admin.call<{ data: TimelineEntry[] }>(
      'GET',
      `/api/conversations/${conversation.id}/timeline?limit=100`,
    );
    const kinds = timeline.body.data.map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'link_moved')).toHaveLength(2);
    expect(kinds.filter((kind) => kind === 'link_broken')).toHaveLength(1);
    expect(kinds.filter((kind) => kind === 'link_mended')).toHaveLength(1);
  });

  test('without webhooks the records are looked at; forged ones change nothing, doubled ones no more than one (L6)', async () => {
    const { here, number, sandbox, app } = await begun(database);
    const customer = await linkedCustomer(here, number, { name: 'Polled' });
    const [delivery] = sandbox.pipedrive.state.delivered;
    const url = sandbox.pipedrive.state.webhooks[0]!.url;
    const post = (authorization: string, body: unknown) =>
      fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization },
        body: JSON.stringify(body),
      });
    const gone = {
      meta: {
        ...(delivery!.body.meta as object),
        entity: 'person',
        action: 'delete',
        entity_id: String(customer.person.id),
      },
      data: null,
      previous: null,
    };
    const state = async () => (await links(here, customer.conversation))[0]!.state;
    expect((await post(`Basic ${btoa('pipedrive:guessed')}`, gone)).status).toBe(403);
    expect((await post('', gone)).status).toBe(403);
    const { user, password } = sandbox.pipedrive.state.webhooks[0]!;
    const genuine = `Basic ${btoa(`${user}:${password}`)}`;
    // It says that the person is gone, twice; he is not: what counts is what Pipedrive answers now.
    expect((await post(genuine, gone)).status).toBe(200);
    expect((await post(genuine, gone)).status).toBe(200);
    expect((await post(genuine, ['nonsense'])).status).toBe(200);
    here.clock.advance(2_000);
    await here.settled();
    expect(await state()).toBe('active');

    sandbox.pipedrive.state.webhooksDown = true;
    here.clock.advance(61_000);
    await customer.writes('not heard of');
    await noted(here);
    here.clock.advance(61_000);
    sandbox.pipedrive.deleteRecord(customer.person);
    await within90Seconds(here, async () => (await state()) === 'broken', 'the broken link');
    await app.worker.idle();
  });
});
