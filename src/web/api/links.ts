// Calls about links: suggestions, search, linking, creating, unlinking.
import { text } from '../../base/texts.ts';
import type { Viewer } from '../../companies/access.ts';
import type { LinkRow } from '../../db/tables.ts';
import { createAndLink, linkRecord, mendLink, unlink, type LinkDeps } from '../../inbox/link.ts';
import { linkShapes } from '../../inbox/link-shape.ts';
import { suggest } from '../../inbox/suggest.ts';
import { listPipelines } from '../../pipedrive/names.ts';
import type { RecordType } from '../../pipedrive/records.ts';
import { searchRecords } from '../../pipedrive/search-records.ts';
import type { LinkRequest } from '../contract.ts';
import { noContent, ok, type Handlers } from '../handler.ts';

export type LinkCallDeps = LinkDeps;

export function linkCalls(deps: LinkCallDeps): Handlers {
  const shapes = async (viewer: Viewer, rows: readonly LinkRow[]) => {
    const byId = await deps.db.read((reader) => linkShapes(reader, viewer.companyId, rows));
    return rows.map((row) => byId.get(row.id)!);
  };
  return {
    listSuggestions: async ({ viewer, params }) =>
      ok({ data: await suggest(deps, viewer, params.id!), nextCursor: null }),
    searchRecords: async ({ viewer, query }) => {
      const { type, q } = query as { type: RecordType; q: string };
      return ok({ data: await searchRecords(deps.pipedriveFor(viewer), type, q), nextCursor: null });
    },
    listPipelines: async ({ viewer }) => ok({ data: await listPipelines(deps.pipedriveFor(viewer)), nextCursor: null }),
    createLink: async ({ viewer, params, body }) => {
      const wanted = body as LinkRequest;
      const conversationId = params.id!;
      if ('recordId' in wanted) {
        const link = await linkRecord(deps, viewer, { conversationId, type: wanted.type, recordId: wanted.recordId });
        return { status: 201, body: { data: await shapes(viewer, [link]) } };
      }
      const isPerson = wanted.type === 'person';
      const { made, failed } = await createAndLink(deps, viewer, {
        conversationId,
        type: wanted.type,
        idempotencyKey: wanted.idempotencyKey,
        person: isPerson ? wanted.create : wanted.create.person,
        record: isPerson ? undefined : wanted.create,
      });
      const data = await shapes(viewer, made);
      if (failed.length === 0) return { status: 201, body: { data } };
      const told = failed.map(({ type, error }) => ({
        type,
        code: error.reason ?? error.kind,
        message: text(
          viewer.language,
          error.kind === 'refused' ? 'error.upstream_refused' : 'error.upstream_unavailable',
        ),
      }));
      return { status: 207, body: { data, failed: told } };
    },
    mendLink: async ({ viewer, params, body }) => {
      const { recordId } = body as { recordId?: string };
      const wanted = { conversationId: params.id!, linkId: params.linkId!, ...(recordId ? { recordId } : {}) };
      return ok({ data: await shapes(viewer, [await mendLink(deps, viewer, wanted)]) });
    },
    removeLink: async ({ viewer, params }) => {
      await unlink(deps, viewer, { conversationId: params.id!, linkId: params.linkId! });
      return noContent;
    },
  };
}
