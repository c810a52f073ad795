// Notes: created, read, listed, changed and deleted over the API, and by people on the pages.
import { ok, Refusal, type ApiCall, type Endpoint, type FieldKind } from './api.ts';
import { sanitise } from './sanitise.ts';
import { emit } from './webhooks.ts';
import { newId, timeV1, timeV2, type Note, type State } from './state.ts';

const read = ['deals:full', 'deals:read', 'contacts:full', 'contacts:read'];
const write = ['deals:full', 'contacts:full'];
const longest = 100_000;
const noteBody: Readonly<Record<string, FieldKind>> = {
  content: 'string',
  deal_id: 'integer',
  person_id: 'integer',
  org_id: 'integer',
  lead_id: 'uuid',
  project_id: 'integer',
  task_id: 'integer',
  user_id: 'integer',
  add_time: 'string',
  pinned_to_deal_flag: 'flag',
  pinned_to_person_flag: 'flag',
  pinned_to_organization_flag: 'flag',
  pinned_to_lead_flag: 'flag',
};

export function noteEndpoints(state: State): Endpoint[] {
  return [
    {
      method: 'POST',
      path: '/api/v1/notes',
      cost: 10,
      scopes: write,
      body: noteBody,
      required: ['content'],
      run: (call) => ok(noteShape(state, addNote(state, call))),
    },
    {
      method: 'GET',
      path: '/api/v1/notes',
      cost: 20,
      scopes: read,
      query: {
        user_id: 'integer',
        lead_id: 'string',
        deal_id: 'integer',
        person_id: 'integer',
        org_id: 'integer',
        start: 'integer',
        limit: 'integer',
        sort: 'string',
        start_date: 'string',
        end_date: 'string',
        updated_since: 'string',
      },
      run: (call) => listNotes(state, call),
    },
    {
      method: 'GET',
      path: '/api/v1/notes/:id',
      cost: 2,
      scopes: read,
      run: (call) => ok(noteShape(state, find(state, call))),
    },
    {
      method: 'PUT',
      path: '/api/v1/notes/:id',
      cost: 10,
      scopes: write,
      body: noteBody,
      run: (call) => {
        const note = find(state, call);
        const content = call.body.content === undefined ? note.content : checked(call.body.content as string);
        changeNote(state, note, { content, userId: call.grant.userId, source: 'api' });
        return ok(noteShape(state, note));
      },
    },
    {
      method: 'DELETE',
      path: '/api/v1/notes/:id',
      cost: 6,
      scopes: write,
      run: (call) => {
        deactivateNote(state, find(state, call), { userId: call.grant.userId, source: 'api' });
        return ok(true);
      },
    },
  ];
}

function addNote(state: State, call: ApiCall): Note {
  const { content, deal_id: deal, person_id: person, org_id: org, lead_id: lead } = call.body as unknown as Note;
  if (!deal && !person && !org && !lead)
    throw new Refusal(400, 'One of deal_id, person_id, org_id, lead_id is required');
  const { companyId, userId } = call.grant;
  const there = (
    rows: readonly { id: number | string; companyId: number; is_deleted: boolean }[],
    id: number | string | undefined,
  ): void => {
    if (id !== undefined && !rows.some((row) => row.id === id && row.companyId === companyId && !row.is_deleted)) {
      throw new Refusal(404, 'The record was not found');
    }
  };
  there(state.deals, deal ?? undefined);
  there(state.persons, person ?? undefined);
  there(state.organizations, org ?? undefined);
  there(state.leads, lead ?? undefined);
  const note: Note = {
    id: newId(state),
    companyId,
    content: checked(content),
    user_id: userId,
    last_update_user_id: null,
    deal_id: deal ?? null,
    person_id: person ?? null,
    org_id: org ?? null,
    lead_id: lead ?? null,
    pinned_to_deal_flag: false,
    pinned_to_person_flag: false,
    active_flag: true,
    add_time: timeV2(state),
    update_time: timeV2(state),
  };
  state.notes.push(note);
  emit(state, { ...happened(note), action: 'create', userId, source: 'api', data: eventData(note), previous: null });
  return note;
}

interface Hand {
  userId: number;
  source: 'app' | 'api';
}

export function changeNote(state: State, note: Note, change: Hand & { content: string }): void {
  const before = { content: note.content, update_time: note.update_time };
  note.content = change.content;
  note.last_update_user_id = change.userId;
  note.update_time = timeV2(state);
  const previous = before.content === note.content ? { update_time: before.update_time } : before;
  emit(state, { ...happened(note), ...change, action: 'change', data: eventData(note), previous });
}

export function deactivateNote(state: State, note: Note, hand: Hand): void {
  note.active_flag = false;
  note.last_update_user_id = hand.userId;
  note.update_time = timeV2(state);
  emit(state, { ...happened(note), ...hand, action: 'delete', data: null, previous: eventData(note) });
}

function happened(note: Note): { entity: 'note'; id: number; companyId: number } {
  return { entity: 'note', id: note.id, companyId: note.companyId };
}

function eventData({ companyId: _, last_update_user_id: __, ...rest }: Note): object {
  return rest;
}

function checked(content: string): string {
  if (content.trim() === '') throw new Refusal(400, 'Note content is empty');
  if (content.length > longest || Buffer.byteLength(content) > longest)
    throw new Refusal(413, 'Note content is too long');
  return sanitise(content);
}

function listNotes(state: State, call: ApiCall): { body: unknown } {
  const { query } = call;
  const rows = state.notes.filter((note) => {
    if (note.companyId !== call.grant.companyId || !note.active_flag) return false;
    if (query.start_date !== undefined && note.add_time.slice(0, 10) < query.start_date) return false;
    if (query.updated_since !== undefined && note.update_time < query.updated_since) return false;
    const facts = note as unknown as Record<string, unknown>;
    return ['deal_id', 'person_id', 'org_id', 'lead_id', 'user_id'].every(
      (name) => query[name] === undefined || String(facts[name]) === query[name],
    );
  });
  if (/^add_time DESC$/i.test(query.sort ?? '')) rows.reverse();
  const start = Number(query.start ?? 0);
  const limit = Math.min(Number(query.limit ?? 100), 500);
  const pagination = { start, limit, more_items_in_collection: start + limit < rows.length, next_start: start + limit };
  return ok(
    rows.slice(start, start + limit).map((note) => noteShape(state, note)),
    { pagination },
  );
}

function find(state: State, call: ApiCall): Note {
  const note = state.notes.find(
    (found) => String(found.id) === call.params.id && found.companyId === call.grant.companyId,
  );
  if (!note || !note.active_flag) throw new Refusal(404, 'Note not found');
  return note;
}

function noteShape(state: State, note: Note): object {
  const { companyId: _, ...rest } = note;
  const author = state.users.find((user) => user.id === note.user_id);
  return {
    ...rest,
    add_time: timeV1(note.add_time),
    update_time: timeV1(note.update_time),
    user: { name: author?.name, email: author?.email, is_you: false, icon_url: null },
  };
}
