// Which conversations stand on a page of a list, in which order, and where the next page begins (V1).
// Every page is read from the front of an index, channel by channel, so that the last costs no more than the first and
// what a viewer may not see is never walked over.
import { UserError } from '../base/errors.ts';
import { visibleChannel, type Condition, type Viewer } from '../companies/access.ts';
import type { Reader, Value } from '../db/database.ts';
import type { Section } from '../web/contract.ts';
import { candidatesOf, holding, holdingAmong, searchFor, type Search } from './search.ts';

export interface PlaceFilter {
  readonly section: Section | 'all';
  readonly channelId?: string | undefined;
  readonly q?: string | undefined;
  readonly sort: 'newest' | 'closing';
  /** Linked to one of these. */
  readonly records?: readonly LinkedRecord[] | undefined;
  readonly cursor?: string | undefined;
  readonly limit: number;
}

export interface LinkedRecord {
  readonly type: 'person' | 'lead' | 'deal';
  readonly recordId: string;
}

interface Place {
  readonly id: string;
  readonly lastMessageAt: string;
  readonly replyUntil: string | null;
}

/** One stretch of an order: rows that satisfy `where`, from `after` on. */
interface Stretch {
  readonly where: Condition;
  readonly key: 'last_message_at' | 'reply_until';
  readonly descending: boolean;
  readonly after: readonly [key: string, id: string] | null;
}

/** When a search changes its way; the same is found on each. */
interface Reach {
  /** So many candidates are sorted at once; of a word more common than that the page is found by reading the list along. */
  readonly fewCandidates: number;
  /** Read along so far; then the candidates are sorted after all. */
  readonly readAlongAtMost: number;
}
const usualReach: Reach = { fewCandidates: 4_000, readAlongAtMost: 1_500 };
/** Of so many conversations the texts are read at once. */
const readAtOnce = 60;

/** Ids of the page in order, and the cursor of the next one. */
export async function pageOfPlaces(
  reader: Reader,
  viewer: Viewer,
  filter: PlaceFilter,
  now: string,
  reach = usualReach,
): Promise<{ ids: string[]; nextCursor: string | null }> {
  const order = filter.sort === 'closing' ? closingOrder(filter.cursor, now) : newestOrder(filter.cursor);
  const channelIds = await visibleChannels(reader, viewer, filter.channelId);
  const wanted = filter.limit + 1;
  const q = filter.q?.trim() ?? '';
  const search = q === '' ? undefined : searchFor(viewer.companyId, q);
  const scope: Scope = { reader, viewer, channelIds, section: filter.section, order, reach };
  const places = filter.records
    ? await ofRecords(scope, filter.records, search, wanted)
    : search
      ? await found(scope, search, wanted)
      : await readOn(scope, null, wanted);
  const page = places.slice(0, filter.limit);
  const last = page.at(-1);
  return {
    ids: page.map(({ id }) => id),
    nextCursor: places.length > filter.limit && last ? order.cursorOf(last) : null,
  };
}

/** Ids of the channels the viewer may see (A8), or of the one named if it is among them. */
export async function visibleChannels(
  reader: Reader,
  viewer: Viewer,
  channelId: string | undefined,
): Promise<string[]> {
  const visible = visibleChannel(viewer);
  const rows = await reader.query<{ id: string }>(
    `select ch.id from channel ch where ${visible.sql} ${channelId === undefined ? '' : 'and ch.id = ?'}`,
    [...visible.parameters, ...(channelId === undefined ? [] : [channelId])],
  );
  return rows.map(({ id }) => id);
}

interface Scope {
  readonly reader: Reader;
  readonly viewer: Viewer;
  readonly channelIds: readonly string[];
  readonly section: Section | 'all';
  readonly order: Order;
  readonly reach: Reach;
}

/** The next places of a section, after the given one or from the cursor on. */
async function readOn(scope: Scope, after: Place | null, limit: number): Promise<Place[]> {
  const places: Place[] = [];
  for (const stretch of after ? scope.order.from(after) : scope.order.stretches) {
    if (places.length < limit) places.push(...(await readStretch(scope, stretch, limit - places.length)));
  }
  return places;
}

async function readStretch(scope: Scope, stretch: Stretch, limit: number): Promise<Place[]> {
  if (scope.channelIds.length === 0) return [];
  const { key, descending } = stretch;
  const direction = descending ? 'desc' : 'asc';
  const after = afterCondition(stretch);
  const order = `order by ${key} ${direction}, id ${direction} limit ${limit}`;
  const parts = scope.channelIds.flatMap((channelId) =>
    sectionConditions(scope.viewer, scope.section, key).map((section) => ({
      sql: `select * from (select id, last_message_at, reply_until from conversation ${alongIndex(scope.reader, section)}
        where channel_id = ? and deleted_at is null and ${section.sql} and ${stretch.where.sql} and ${after.sql} ${order}) as part`,
      parameters: [channelId, ...section.parameters, ...stretch.where.parameters, ...after.parameters],
    })),
  );
  return scope.reader.query<Place>(
    `select * from (${parts.map(({ sql }) => sql).join(' union all ')}) as parts ${order}`,
    parts.flatMap(({ parameters }) => parameters),
  );
}

function afterCondition({ key, descending, after }: Stretch): Condition {
  if (!after) return { sql: '1 = 1', parameters: [] };
  return { sql: `(${key}, id) ${descending ? '<' : '>'} (?, ?)`, parameters: after };
}

interface SectionCondition extends Condition {
  /** The index that holds these rows in the order they are read in. */
  readonly index: string;
}

/** SQLite takes the index with the most columns named, and would sort all rows of a section for each page of it. */
function alongIndex(reader: Reader, { index }: SectionCondition): string {
  return reader.kind === 'sqlite' ? `indexed by ${index}` : '';
}

/** Conditions that each match an index; a section is all of them together. */
function sectionConditions(viewer: Viewer, section: Scope['section'], key: Stretch['key']): SectionCondition[] {
  const along = (index: string, sql: string, parameters: readonly Value[] = []): SectionCondition => ({
    index: key === 'reply_until' ? 'conversation_closing' : index,
    sql,
    parameters,
  });
  const assigned = `status = 'open' and assignee_id is not null`;
  switch (section) {
    case 'unassigned':
      return [along('conversation_unassigned', `status = 'open' and assignee_id is null`)];
    case 'mine':
      return [along('conversation_of_assignee', `${assigned} and assignee_id = ?`, [viewer.userId])];
    case 'others':
      return [along('conversation_assigned', `${assigned} and assignee_id <> ?`, [viewer.userId])];
    case 'closed':
      return [along('conversation_by_status', `status = 'closed'`)];
    case 'all':
      return key === 'reply_until'
        ? [along('conversation_closing', '1 = 1')]
        : ['open', 'closed'].map((status) => along('conversation_by_status', `status = '${status}'`));
  }
}

/** A rare word's candidates are sorted; of a common one the newest conversations are read along until the page is full. */
async function found(scope: Scope, search: Search, limit: number): Promise<Place[]> {
  const candidates = await candidatesOf(scope.reader, search, scope.reach.fewCandidates);
  if (candidates) return amongFew(scope, search, candidates, limit);
  return (await readAlong(scope, search, limit)) ?? amongMany(scope, search, limit);
}

/** The candidates are known: they are put in order, and their texts read until the page is full. */
async function amongFew(
  scope: Scope,
  search: Search,
  candidates: ReadonlyMap<string, readonly string[]>,
  limit: number,
): Promise<Place[]> {
  const ids = [...candidates.keys()];
  if (ids.length === 0) return [];
  const sorted = await inOrder(scope, null, ids.length, {
    sql: `id in (${ids.map(() => '?').join(', ')})`,
    parameters: ids,
  });
  const places: Place[] = [];
  for (let from = 0; from < sorted.length && places.length < limit; from += readAtOnce) {
    const some = sorted.slice(from, from + readAtOnce);
    const holds = await holdingAmong(scope.reader, search, new Map(some.map(({ id }) => [id, candidates.get(id)!])));
    places.push(...some.filter(({ id }) => holds.has(id)));
  }
  return places.slice(0, limit);
}

/** What is common as letters go, and yet not among the newest: page by page out of all candidates. */
async function amongMany(scope: Scope, search: Search, limit: number): Promise<Place[]> {
  const places: Place[] = [];
  let last: Place | null = null;
  const step = Math.max(limit, readAtOnce) * 4;
  for (;;) {
    const some = await sortCandidates(scope, search, last, step);
    const ids = await holding(
      scope.reader,
      search,
      some.map(({ id }) => id),
    );
    places.push(...some.filter(({ id }) => ids.has(id)));
    last = some.at(-1) ?? null;
    if (places.length >= limit || some.length < step) return places.slice(0, limit);
  }
}

async function readAlong(scope: Scope, search: Search, limit: number): Promise<Place[] | undefined> {
  const places: Place[] = [];
  let last: Place | null = null;
  let step = limit * 2;
  for (let read = 0; read < scope.reach.readAlongAtMost; read += step, step *= 2) {
    const some: Place[] = await readOn(scope, last, step);
    const ids = await holding(
      scope.reader,
      search,
      some.map(({ id }) => id),
    );
    places.push(...some.filter(({ id }) => ids.has(id)));
    if (places.length >= limit || some.length < step) return places.slice(0, limit);
    last = some.at(-1)!;
  }
  return undefined;
}

async function sortCandidates(scope: Scope, search: Search, after: Place | null, limit: number): Promise<Place[]> {
  const { sql, parameters } = search.candidates(scope.reader.kind);
  return inOrder(scope, after, limit, {
    sql: `id in (select conversation_id from (${sql}) as candidate)`,
    parameters,
  });
}

async function ofRecords(
  scope: Scope,
  records: readonly LinkedRecord[],
  search: Search | undefined,
  limit: number,
): Promise<Place[]> {
  if (records.length === 0) return [];
  const places = await inOrder(scope, null, search ? 1_000 : limit, {
    sql: `id in (select l.conversation_id from link l where l.company_id = ? and l.removed_at is null
      and (${records.map(() => '(l.type = ? and l.record_id = ?)').join(' or ')}))`,
    parameters: [scope.viewer.companyId, ...records.flatMap(({ type, recordId }) => [type, recordId])],
  });
  if (!search) return places;
  const ids = await holding(
    scope.reader,
    search,
    places.map(({ id }) => id),
  );
  return places.filter(({ id }) => ids.has(id)).slice(0, limit);
}

/** Conversations that a condition names, sorted. It is asked before all else, so that no database walks over a section. */
async function inOrder(scope: Scope, after: Place | null, limit: number, condition: Condition): Promise<Place[]> {
  const places: Place[] = [];
  if (scope.channelIds.length === 0) return places;
  for (const stretch of after ? scope.order.from(after) : scope.order.stretches) {
    if (places.length >= limit) break;
    const { key, descending, where } = stretch;
    const from = afterCondition(stretch);
    const direction = descending ? 'desc' : 'asc';
    const sections = sectionConditions(scope.viewer, scope.section, key);
    const rows = await scope.reader.query<Place>(
      `with named as materialized (select * from conversation where ${condition.sql})
       select id, last_message_at, reply_until from named
       where channel_id in (${scope.channelIds.map(() => '?').join(', ')}) and deleted_at is null
         and (${sections.map(({ sql }) => sql).join(' or ')}) and ${where.sql} and ${from.sql}
       order by ${key} ${direction}, id ${direction} limit ${limit - places.length}`,
      [
        ...condition.parameters,
        ...scope.channelIds,
        ...sections.flatMap(({ parameters }) => parameters),
        ...where.parameters,
        ...from.parameters,
      ],
    );
    places.push(...rows);
  }
  return places;
}

interface Order {
  /** What is left of the order, from the cursor on. */
  readonly stretches: readonly Stretch[];
  /** The same from just after a place. */
  readonly from: (place: Place) => readonly Stretch[];
  readonly cursorOf: (place: Place) => string;
}

const everything: Condition = { sql: '1 = 1', parameters: [] };

function newestOrder(cursor: string | undefined): Order {
  const stretch = (after: Stretch['after']): Stretch[] => [
    { where: everything, key: 'last_message_at', descending: true, after },
  ];
  return {
    stretches: stretch(cursor === undefined ? null : (readCursor(cursor, 2) as [string, string])),
    from: (place) => stretch([place.lastMessageAt, place.id]),
    cursorOf: (place) => writeCursor([place.lastMessageAt, place.id]),
  };
}

/** Least time left first; those whose time is over follow, newest first. `asOf` stays the same over all pages. */
function closingOrder(cursor: string | undefined, now: string): Order {
  const begun = cursor === undefined ? undefined : (readCursor(cursor, 4) as [string, string, string, string]);
  const asOf = begun?.[0] ?? now;
  const isOpen = (place: Place): boolean => place.replyUntil !== null && place.replyUntil > asOf;
  const open = (after: Stretch['after']): Stretch => ({
    where: { sql: 'reply_until > ?', parameters: [asOf] },
    key: 'reply_until',
    descending: false,
    after,
  });
  const over = (after: Stretch['after']): Stretch => ({
    where: { sql: '(reply_until is null or reply_until <= ?)', parameters: [asOf] },
    key: 'last_message_at',
    descending: true,
    after,
  });
  const from = (bucket: string, key: string, id: string): Stretch[] =>
    bucket === 'open' ? [open([key, id]), over(null)] : [over([key, id])];
  const partsOf = (place: Place): [string, string, string] =>
    isOpen(place) ? ['open', place.replyUntil!, place.id] : ['over', place.lastMessageAt, place.id];
  return {
    stretches: begun ? from(begun[1], begun[2], begun[3]) : [open(null), over(null)],
    from: (place) => from(...partsOf(place)),
    cursorOf: (place) => writeCursor([asOf, ...partsOf(place)]),
  };
}

function writeCursor(parts: readonly string[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

function readCursor(cursor: string, length: number): string[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (Array.isArray(parts) && parts.length === length && parts.every((part) => typeof part === 'string'))
      return parts;
  } catch {
    // Not ours: refused below.
  }
  throw new UserError('invalid', { fields: { cursor: 'unknown' } });
}
