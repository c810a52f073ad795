// Calls about taking data away (O5): export of a company, export and erasure of one contact.
import { Readable } from 'node:stream';
import { UserError } from '../../base/errors.ts';
import { visibleChannel, type Viewer } from '../../companies/access.ts';
import { audit } from '../../companies/audit.ts';
import type { InboxDeps } from '../../inbox/deps.ts';
import { contactFor, eraseContact } from '../../inbox/erase.ts';
import { exportCsv, exportJson, type ExportScope } from '../../inbox/export.ts';
import { noContent, type CallAnswer, type Handlers } from '../handler.ts';

export function exportCalls(inbox: InboxDeps): Handlers {
  /** Companies that are being read out: each reads the whole history, so one at a time. */
  const running = new Set<string>();
  const written = (viewer: Viewer, act: string, details: object): Promise<void> => {
    const { companyId, userId } = viewer;
    return inbox.db.transaction((tx) => audit(inbox, tx, { companyId, userId, act, details }));
  };
  return {
    exportCompany: async ({ viewer, query }) => {
      const { format } = query as { format: 'json' | 'csv' };
      const { companyId } = viewer;
      if (running.has(companyId)) throw new UserError('rate_limited');
      running.add(companyId);
      try {
        await written(viewer, 'exported', { format });
      } catch (error) {
        running.delete(companyId);
        throw error;
      }
      const pieces = (format === 'csv' ? exportCsv : exportJson)(inbox, scopeOf(viewer));
      const type = format === 'csv' ? 'text/csv; charset=utf-8' : 'application/json; charset=utf-8';
      const day = inbox.clock.now().toISOString().slice(0, 10);
      return streamed(pieces, type, `conversations-${day}.${format}`, () => running.delete(companyId));
    },
    exportContact: async ({ viewer, params }) => {
      const contact = await inbox.db.read((reader) => contactFor(reader, viewer, params.id!));
      await written(viewer, 'contact_exported', { contactId: contact.id, channelId: contact.channelId });
      const pieces = exportJson(inbox, { ...scopeOf(viewer), contactId: contact.id });
      return streamed(pieces, 'application/json; charset=utf-8', `contact-${contact.id}.json`);
    },
    eraseContact: async ({ viewer, params }) => {
      await eraseContact(inbox, viewer, params.id!);
      return noContent;
    },
  };
}

/** Other people's private channels are left out, for admins too (A8). */
function scopeOf(viewer: Viewer): ExportScope {
  return { companyId: viewer.companyId, channels: visibleChannel(viewer) };
}

function streamed(
  pieces: AsyncGenerator<string>,
  type: string,
  name: string,
  ended: () => void = () => undefined,
): CallAnswer {
  // Closed also when whoever asked has gone away.
  const body = Readable.from(pieces, { highWaterMark: 4 }).once('close', ended);
  return { status: 200, body, type, fileName: name };
}
