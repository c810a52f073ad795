// How many conversations each section holds, and how many of them hold something this user has not read (V1, V8).
// Counted in indexes alone: all conversations of a group, less those without anything inbound, less those he has caught
// up with; a mark knows where its conversation stands (a trigger keeps that), so no conversation is looked at.
import type { Viewer } from '../companies/access.ts';
import type { Reader } from '../db/database.ts';
import type { Counts, Section } from '../web/contract.ts';
import { visibleChannels } from './places.ts';

interface Group {
  readonly status: 'open' | 'closed';
  readonly assigneeId: string | null;
  readonly count: number;
}

export async function countConversations(reader: Reader, viewer: Viewer): Promise<Counts> {
  const channelIds = await visibleChannels(reader, viewer, undefined);
  // Channel by channel: asked for several at once, SQLite takes another index and looks at every conversation.
  const groups = async (table: string, where: string, parameters: readonly string[] = []): Promise<Group[]> => {
    if (channelIds.length === 0) return [];
    const ofOne = `select status, assignee_id, cast(count(*) as integer) as count from ${table}
      where channel_id = ? and ${where} group by status, assignee_id`;
    return reader.query<Group>(
      channelIds.map(() => ofOne).join(' union all '),
      channelIds.flatMap((channelId) => [channelId, ...parameters]),
    );
  };
  const all = await groups('conversation', 'deleted_at is null');
  const silent = await groups('conversation', 'inbound_count = 0 and deleted_at is null');
  const caughtUp = await groups('read_mark', 'caught_up = 1 and user_id = ?', [viewer.userId]);

  const sum = (section: Section, list: readonly Group[]): number =>
    list.filter((group) => sectionOf(viewer, group) === section).reduce((total, { count }) => total + count, 0);
  const of = (section: Section) => {
    const total = sum(section, all);
    return { total, unread: total - sum(section, silent) - sum(section, caughtUp) };
  };
  return { unassigned: of('unassigned'), mine: of('mine'), others: of('others'), closed: of('closed') };
}

export function sectionOf(viewer: Pick<Viewer, 'userId'>, row: Pick<Group, 'status' | 'assigneeId'>): Section {
  if (row.status === 'closed') return 'closed';
  if (row.assigneeId === null) return 'unassigned';
  return row.assigneeId === viewer.userId ? 'mine' : 'others';
}
