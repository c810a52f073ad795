// Notes on records (v1 only): read, create, update one note; look for one whose creation got no answer.
import { z } from 'zod';
import { UpstreamError } from '../base/errors.ts';
import type { PipedriveClient } from './client.ts';
import type { RecordType } from './records.ts';

export interface RecordRef {
  readonly type: RecordType;
  readonly recordId: string;
}

/** A note as Pipedrive has it: the content is what its sanitising left. */
export interface NoteContent {
  readonly noteId: string;
  readonly content: string;
}

export interface FoundNote extends NoteContent {
  /** When it was created, if Pipedrive tells. */
  readonly addedAt?: string;
}

const noteShape = z.object({
  id: z.number(),
  content: z.string().nullish(),
  active_flag: z.union([z.boolean(), z.number()]).nullish(),
  add_time: z.string().nullish(),
});
const oneShape = z.object({ data: noteShape });

/** "gone" also for what may no longer be seen: what a deleted note answers is not documented. */
export async function readNote(client: PipedriveClient, noteId: string): Promise<NoteContent | 'gone'> {
  try {
    const answer = await client.v1(
      (sdk) => sdk.NotesApi,
      (api) => api.getNote({ id: Number(noteId) }),
    );
    const note = oneShape.parse(answer).data;
    return isActive(note) ? { noteId, content: note.content ?? '' } : 'gone';
  } catch (error) {
    if (isGone(error)) return 'gone';
    throw error;
  }
}

export async function createNote(client: PipedriveClient, record: RecordRef, content: string): Promise<NoteContent> {
  const answer = await client.v1(
    (sdk) => sdk.NotesApi,
    (api) => api.addNote({ AddNoteRequest: { content, ...reference(record) } }),
  );
  const note = oneShape.parse(answer).data;
  return { noteId: String(note.id), content: note.content ?? '' };
}

/** PUT, not PATCH. */
export async function updateNote(
  client: PipedriveClient,
  noteId: string,
  content: string,
): Promise<NoteContent | 'gone'> {
  try {
    const answer = await client.v1(
      (sdk) => sdk.NotesApi,
      (api) => api.updateNote({ id: Number(noteId), NoteRequest: { content } }),
    );
    const note = oneShape.parse(answer).data;
    return isActive(note) ? { noteId, content: note.content ?? '' } : 'gone';
  } catch (error) {
    if (isGone(error)) return 'gone';
    throw error;
  }
}

const longestSearch = 5;

/** The note on a record whose content holds `mark`, among its newest; settles a creation whose answer was lost (H4). */
export async function findNote(
  client: PipedriveClient,
  record: RecordRef,
  mark: string,
): Promise<FoundNote | undefined> {
  for (let page = 0; page < longestSearch; page += 1) {
    const answer = await client.v1(
      (sdk) => sdk.NotesApi,
      (api) => api.getNotes({ ...reference(record), sort: 'add_time DESC', start: page * 50, limit: 50 }),
    );
    const notes = z.object({ data: z.array(noteShape).nullish() }).parse(answer).data ?? [];
    const found = notes.find((note) => isActive(note) && note.content?.includes(mark));
    if (found) {
      const addedAt = found.add_time ? { addedAt: utcTime(found.add_time) } : {};
      return { noteId: String(found.id), content: found.content ?? '', ...addedAt };
    }
    if (notes.length < 50) return undefined;
  }
  return undefined;
}

/** Of a company with more notes than this the oldest ones are left out. */
const mostPages = 20;
const pageSize = 500;

/** All notes of the company that were added since the day of `since`, as far as this user may see them. */
export async function notesAddedSince(client: PipedriveClient, since: string): Promise<NoteContent[]> {
  const found: NoteContent[] = [];
  for (let page = 0; page < mostPages; page += 1) {
    const answer = await client.v1(
      (sdk) => sdk.NotesApi,
      (api) =>
        api.getNotes({
          // By the day and by nobody knows which zone: one more is read.
          start_date: new Date(Date.parse(since) - 86_400_000).toISOString().slice(0, 10),
          sort: 'add_time DESC',
          start: page * pageSize,
          limit: pageSize,
        }),
    );
    const notes = z.object({ data: z.array(noteShape).nullish() }).parse(answer).data ?? [];
    for (const note of notes.filter(isActive)) found.push({ noteId: String(note.id), content: note.content ?? '' });
    if (notes.length < pageSize) break;
  }
  return found;
}

function reference({ type, recordId }: RecordRef): Record<string, string | number> {
  return type === 'lead' ? { lead_id: recordId } : { [`${type}_id`]: Number(recordId) };
}

/** v1 writes UTC without a zone. */
function utcTime(time: string): string {
  return new Date(/Z|[+-]\d\d:\d\d$/.test(time) ? time : `${time.replace(' ', 'T')}Z`).toISOString();
}

function isActive(note: z.infer<typeof noteShape>): boolean {
  return note.active_flag !== false && note.active_flag !== 0;
}

function isGone(error: unknown): boolean {
  return error instanceof UpstreamError && (error.status === 404 || error.status === 410 || error.status === 403);
}
