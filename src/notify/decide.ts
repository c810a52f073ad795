// Who is told of what, and by which way; and whether that still holds when the time comes. Pure.
import type { NotificationSwitches } from '../companies/settings.ts';
import type { ConversationRow, NoticeRow } from '../db/tables.ts';

export type Trigger = NoticeRow['trigger'];
export type Way = NoticeRow['via'];

/** The trigger that a new message of this conversation is to a user (N1). */
export function messageTrigger(conversation: Pick<ConversationRow, 'assigneeId'>, userId: string): Trigger {
  if (conversation.assigneeId === null) return 'unassigned';
  return conversation.assigneeId === userId ? 'mine' : 'others';
}

export interface Candidate {
  readonly switches: NotificationSwitches;
  readonly available: boolean;
  /** Has the conversation open and in focus. */
  readonly focused: boolean;
}

/**
 * The ways by which a user hears of a trigger. An unassigned conversation is a call to take it, and who is away cannot
 * take one (V3): he is not called. What is his, and what he follows of others, goes on as he has set it.
 */
export function waysFor(trigger: Trigger, { switches, available, focused }: Candidate): Way[] {
  if (trigger === 'unassigned' && !available) return [];
  const ways: Way[] = [];
  if (switches.desktop[trigger] && !focused) ways.push('desktop');
  // In focus means read in a moment, and what is read is not mailed: no second rule is needed for e-mail.
  if (switches.email[trigger]) ways.push('email');
  return ways;
}

/** A notice with what has become of its conversation and its user. */
export interface Standing {
  readonly notice: Pick<NoticeRow, 'trigger' | 'via' | 'state'>;
  readonly conversation: Pick<ConversationRow, 'status' | 'assigneeId' | 'deletedAt' | 'inboundCount'>;
  readonly userId: string;
  readonly switches: NotificationSwitches;
  /** Has the app, and may see the channel (A8). */
  readonly mayKnow: boolean;
  readonly readCount: number;
  /** Somebody has written to the contact since. */
  readonly answered: boolean;
}

/** False once it was read, answered, closed, deleted, given to another or switched off. */
export function stillStands(standing: Standing): boolean {
  const { notice, conversation, userId } = standing;
  if (notice.state !== 'pending' || !standing.mayKnow || conversation.deletedAt !== null) return false;
  if (conversation.status !== 'open' || standing.answered) return false;
  if (!standing.switches[notice.via][notice.trigger]) return false;
  if (notice.trigger === 'assigned') return conversation.assigneeId === userId;
  return messageTrigger(conversation, userId) === notice.trigger && standing.readCount < conversation.inboundCount;
}
