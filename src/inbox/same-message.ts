// Whether a message in a provider's history is one of ours whose sending got no answer: histories do not carry our ids (C8). Pure.
import { later } from '../base/clock.ts';
import type { MessageRow } from '../db/tables.ts';

export interface Remembered {
  readonly text: string;
  /** How many files it has; absent when the history does not tell. */
  readonly files?: number | undefined;
  /** ISO text, or null when the history does not tell. */
  readonly at: string | null;
}

/** Clocks differ, and histories count in seconds. */
const toleranceMs = 60_000;
const withFile = new Set(['image', 'video', 'audio', 'file', 'sticker']);

export function isSameMessage(ours: MessageRow, found: Remembered): boolean {
  if (found.at !== null && found.at < later(ours.sendingAt ?? ours.createdAt, -toleranceMs)) return false;
  if (found.files !== undefined && found.files > 0 !== withFile.has(ours.kind)) return false;
  // The words of a template may be missing from a history.
  return found.text.trim() === ours.text.trim() || (ours.kind === 'template' && found.text.trim() === '');
}
