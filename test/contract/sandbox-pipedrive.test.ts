// The sandbox's Pipedrive, driven by the vendor's own SDK, and refusing what Pipedrive refuses, in its shape.
import * as v1 from 'pipedrive/v1';
import * as v2 from 'pipedrive/v2';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFaults } from '../../sandbox/faults.ts';
import { startPipedrive, type PipedriveSandbox } from '../../sandbox/pipedrive.ts';
import type { Company, User } from '../../sandbox/pipedrive/state.ts';

const clientId = 'sandbox-client';
const clientSecret = 'sandbox-secret';
const redirectUri = 'http://127.0.0.1:9/oauth/callback';

let sandbox: PipedriveSandbox;
let company: Company;
let user: User;
let oauth: v2.OAuth2Configuration;

beforeEach(async () => {
  sandbox = await startPipedrive({
    clientId,
    clientSecret,
    redirectUri: () => redirectUri,
    appUrl: () => 'http://127.0.0.1:9',
    faults: createFaults(),
  });
  company = sandbox.addCompany({ name: 'Nordtak Solar', domain: 'nordtak' });
  user = sandbox.addUser(company, { name: 'Erik Lund', admin: true });
  oauth = new v2.OAuth2Configuration({ clientId, clientSecret, redirectUri, host: sandbox.url });
  const asked = `${sandbox.url}/oauth/authorize?client_id=${clientId}&redirect_uri=${encodeURIComponent(redirectUri)}&state=s`;
  const code = new URL(sandbox.authorize(user, asked)).searchParams.get('code')!;
  oauth.updateToken(await oauth.authorize(code));
});

afterEach(() => sandbox.stop());

const token = async (): Promise<string> => oauth.getAccessToken();
const apiV1 = <Api>(kind: new (configuration: v1.Configuration) => Api): Api =>
  new kind(new v1.Configuration({ accessToken: token, basePath: `${sandbox.url}/api/v1` }));
const apiV2 = <Api>(kind: new (configuration: v2.Configuration) => Api): Api =>
  new kind(new v2.Configuration({ accessToken: token, basePath: `${sandbox.url}/api/v2` }));

async function raw(method: string, path: string, body?: string | object, headers: Record<string, string> = {}) {
  const answer = await fetch(sandbox.url + path, {
    method,
    headers: { authorization: `Bearer ${await token()}`, 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const words = await answer.text();
  return {
    status: answer.status,
    body: (words === '' ? {} : JSON.parse(words)) as Record<string, unknown>,
    headers: answer.headers,
  };
}

describe('the vendor’s SDK', () => {
  test('trades a code for tokens once, refreshes them, and the old access token ends', async () => {
    const before = await token();

    const refreshed = await oauth.tokenRefresh();

    expect(refreshed).toMatchObject({ token_type: 'Bearer', expires_in: expect.any(Number) as number });
    expect(refreshed.access_token).not.toBe(before);
    await expect(oauth.authorize('used-or-made-up')).rejects.toThrow();
  });

  test('reads who the token belongs to', async () => {
    const me = await apiV1(v1.UsersApi).getCurrentUser();

    expect(me).toMatchObject({
      success: true,
      data: { id: user.id, name: 'Erik Lund', company_id: company.id, company_domain: 'nordtak' },
    });
  });

  test('creates, finds and reads a person, a deal and a lead', async () => {
    const person = await apiV2(v2.PersonsApi).addPerson({
      AddPersonRequest: { name: 'Hannah Berg', phones: [{ value: '+46701234567', primary: true, label: 'mobile' }] },
    });
    const personId = person.data!.id!;
    const deal = await apiV2(v2.DealsApi).addDeal({
      AddDealRequest: { title: 'Solar roof', person_id: personId },
    });
    const lead = await apiV1(v1.LeadsApi).addLead({
      AddLeadRequest: { title: 'Solar roof', person_id: personId },
    });
    const found = await apiV2(v2.PersonsApi).searchPersons({ term: 'Hannah', fields: 'name' } as never);

    expect(person.data).toMatchObject({ name: 'Hannah Berg', phones: [{ value: '+46701234567', primary: true }] });
    expect(deal.data).toMatchObject({ title: 'Solar roof', person_id: personId, owner_id: user.id });
    expect(lead.data).toMatchObject({ title: 'Solar roof', person_id: personId });
    expect(found.data!.items!.map(({ item }) => item!.id)).toEqual([personId]);
  });

  test('writes a note, which comes back as Pipedrive cleans it, changes it and deletes it', async () => {
    const { id } = sandbox.addPerson(company, { name: 'Hannah Berg' });
    const notes = apiV1(v1.NotesApi);

    const made = await notes.addNote({
      AddNoteRequest: { content: '<b>Hi</b><script>alert(1)</script>', person_id: id },
    });
    const noteId = made.data!.id!;
    const changed = await notes.updateNote({ id: noteId, NoteRequest: { content: 'other' } });
    await notes.deleteNote({ id: noteId });

    expect(made.data!.content).toContain('<b>Hi</b>');
    expect(made.data!.content).not.toContain('script');
    expect(changed.data!.content).toBe('other');
    expect(sandbox.notesOf('person', id).filter(({ active_flag: isThere }) => isThere)).toEqual([]);
  });
});

describe('what Pipedrive refuses is refused in its shape', () => {
  test.each([
    ['no token', {}],
    ['a made-up token', { authorization: 'Bearer nothing' }],
    ['another scheme', { authorization: `Basic ${Buffer.from('a:b').toString('base64')}` }],
  ])('%s is 401', async (_, headers) => {
    const answer = await fetch(`${sandbox.url}/api/v2/persons`, { headers: headers as Record<string, string> });

    expect(answer.status).toBe(401);
    expect(await answer.json()).toEqual({ success: false, error: 'unauthorized access', errorCode: 401 });
  });

  test.each([
    ['an unknown field of a person', 'POST', '/api/v2/persons', { name: 'A', nickname: 'B' }],
    ['an unknown field of a note', 'POST', '/api/v1/notes', { content: 'x', person_id: 1, colour: 'red' }],
    ['an unknown query key', 'GET', '/api/v2/persons?colour=red', undefined],
    ['a number in words', 'POST', '/api/v2/deals', { title: 'A', person_id: 'one' }],
    ['a person without a name', 'POST', '/api/v2/persons', {}],
    ['a note without content', 'POST', '/api/v1/notes', { person_id: 1 }],
    ['a body that is no JSON', 'POST', '/api/v2/persons', '{"name":'],
    ['a body that is a list', 'POST', '/api/v2/persons', '[]'],
  ])('%s is 400 and makes nothing', async (_, method, path, body) => {
    const answer = await raw(method, path, body);

    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ success: false, error: expect.any(String) as string });
    expect(sandbox.state.persons).toHaveLength(0);
    expect(sandbox.state.notes).toHaveLength(0);
  });

  test('what is not there is 404, and a verb that is not there is no success', async () => {
    expect((await raw('GET', '/api/v2/persons/999')).status).toBe(404);
    expect((await raw('GET', '/api/v2/nothing')).status).toBe(404);
    expect([404, 405]).toContain((await raw('PUT', '/api/v2/persons', {})).status);
  });

  test('a note that is too long, and a body that is too long, are refused', async () => {
    const { id } = sandbox.addPerson(company, { name: 'Hannah Berg' });

    const note = await raw('POST', '/api/v1/notes', { content: 'x'.repeat(100_001), person_id: id });
    const body = await raw('POST', '/api/v2/persons', { name: 'x'.repeat(1_100_000) });

    expect([400, 413]).toContain(note.status);
    expect(body.status).toBe(413);
    expect(sandbox.state.notes).toHaveLength(0);
  });

  test('another company’s records are not there', async () => {
    const elsewhere = sandbox.addCompany({ name: 'Elsewhere' });
    sandbox.addUser(elsewhere, { name: 'Olle Strand' });
    const { id } = sandbox.addPerson(elsewhere, { name: 'Hannah Secret' });

    expect((await raw('GET', `/api/v2/persons/${id}`)).status).toBe(404);
    expect(JSON.stringify((await raw('GET', '/api/v2/persons')).body)).not.toContain('Secret');
  });

  test('every call costs tokens and says how many are left; with none left it is 429', async () => {
    const poor = sandbox.addCompany({ name: 'Poor', dailyTokens: 1 });
    const owner = sandbox.addUser(poor, { name: 'Olle Strand' });
    const asked = `${sandbox.url}/oauth/authorize?client_id=${clientId}&redirect_uri=${encodeURIComponent(redirectUri)}&state=s`;
    const code = new URL(sandbox.authorize(owner, asked)).searchParams.get('code')!;
    const first = await raw('GET', '/api/v2/persons');
    oauth.updateToken(await oauth.authorize(code));

    const spent = await raw('GET', '/api/v2/persons');

    expect(first.status).toBe(200);
    expect(first.headers.get('x-daily-requests-left') ?? first.headers.get('x-ratelimit-remaining')).not.toBeNull();
    expect(spent.status).toBe(429);
    expect(spent.body.success).toBe(false);
  });
});
