// Why the conversation that somebody followed a link to does not stand there: it is a colleague's alone, or it is not there at all.
import type { PrivateChannel } from '../../src/web/contract.ts';
import { ApiError } from './api.ts';
import type { Absent, State } from './state.ts';

/** What a refusal says of the conversation that was asked for; nothing when it is about something else. */
export function absentBy(error: unknown, id: string): Absent | null {
  if (!(error instanceof ApiError) || error.code !== 'not_found') return null;
  return { id, private: (error.details.private as PrivateChannel | undefined) ?? null };
}

/** Of the selected one, as long as it cannot be shown. */
export function absentOf({ absent, selected, conversations }: State): Absent | null {
  return absent && absent.id === selected && !conversations.has(selected) ? absent : null;
}
