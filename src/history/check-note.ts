// Somebody may have changed or deleted a note of ours: looked at once, so that the next message starts a new one (H3).
import { z } from 'zod';
import { sha256 } from '../base/crypto.ts';
import { UpstreamError } from '../base/errors.ts';
import type { NoteRow } from '../db/tables.ts';
import { defineTask, type Outcome } from '../jobs/queue.ts';
import { readNote } from '../pipedrive/notes.ts';
import type { HistoryDeps } from './write.ts';

const waitMs = 60_000;

/** Runs in the link's lane, so never beside a write of ours. */
export const checkNote = defineTask(
  'check-note',
  z.object({
    noteId: z.string(),
    /** Hash of the content that the webhook told, if it told one. */
    seenHash: z.string().nullable().default(null),
  }),
  async (deps: HistoryDeps, { noteId, seenHash }): Promise<Outcome> => {
    const note = await deps.db.read((reader) =>
      reader.one<NoteRow>(
        `select * from note where id = ? and content_hash is not null and stale <> 2
           and not exists (select 1 from noted_message n where n.note_id = note.id and n.confirmed = 0)`,
        [noteId],
      ),
    );
    // One that is being written is looked at by whoever writes it.
    if (!note || note.pipedriveNoteId === null) return undefined;
    // A webhook of our own write may overtake the answer to it: what we remember by now is what it told.
    if (seenHash === note.contentHash) return undefined;
    const [grant] = await deps.grants(note.companyId, [note.authorId]);
    if (!grant) return undefined;
    try {
      const present = await readNote(deps.pipedriveFor(grant), note.pipedriveNoteId);
      if (present !== 'gone' && sha256(present.content) === note.contentHash) return undefined;
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      return { againInMs: Math.max(error.retryAfterMs ?? 0, waitMs) };
    }
    await deps.db.transaction((tx) =>
      tx.query(`update note set state = 'closed', content_hash = null, stale = 0 where id = ?`, [note.id]),
    );
    return undefined;
  },
);
