// `GET, HEAD /media/:id/:name`: attachments by signed link, served so that a browser never takes them for a page of ours (T-12).
import type { Context } from 'koa';
import type { Database } from '../db/database.ts';
import type { AttachmentRow, ContactRow } from '../db/tables.ts';
import { safeFileName, type MediaLinks } from '../media/links.ts';
import type { Storage } from '../media/storage.ts';

export interface MediaDeps {
  readonly db: Database;
  readonly storage: Storage;
  readonly links: MediaLinks;
}

/** Shown in place; everything else is only ever saved. */
const inline =
  /^(image\/(png|jpeg|gif|webp)|audio\/(mpeg|mp4|ogg|aac|amr|x-m4a|wav)|video\/(mp4|3gpp|webm|quicktime)|application\/ogg)(;|$)/;

export async function serveMedia(deps: MediaDeps, ctx: Context, id: string): Promise<void> {
  const link = deps.links.check(id, ctx.query);
  const file = link && (await findFile(deps, id, link.companyId));
  const size = file && (await deps.storage.size(file.mediaKey));
  if (!file || size === undefined) {
    ctx.status = 404;
    return;
  }
  const shown = inline.test(file.contentType);
  const name = safeFileName(file.name);
  ctx.set('Content-Type', file.contentType);
  ctx.set('Content-Disposition', `${shown ? 'inline' : 'attachment'}; filename*=UTF-8''${encodeURIComponent(name)}`);
  ctx.set('X-Content-Type-Options', 'nosniff');
  ctx.set('Content-Security-Policy', `default-src 'none'; sandbox`);
  ctx.set('Cross-Origin-Resource-Policy', 'cross-origin');
  ctx.set('Cache-Control', 'private, max-age=300');
  ctx.set('Accept-Ranges', 'bytes');
  const range = rangeOf(ctx.get('Range'), size);
  if (range === 'unsatisfiable') {
    ctx.status = 416;
    ctx.set('Content-Range', `bytes */${size}`);
    return;
  }
  ctx.status = range ? 206 : 200;
  if (range) ctx.set('Content-Range', `bytes ${range.start}-${range.end}/${size}`);
  ctx.length = range ? range.end - range.start + 1 : size;
  if (ctx.method !== 'HEAD') ctx.body = await deps.storage.stream(file.mediaKey, range);
}

interface File {
  readonly mediaKey: string;
  readonly contentType: string;
  readonly name: string;
}

/** An attachment, or the picture of a contact. */
function findFile(deps: MediaDeps, id: string, companyId: string): Promise<File | undefined> {
  return deps.db.read(async (reader) => {
    const attachment = await reader.one<AttachmentRow>(
      `select * from attachment where id = ? and company_id = ? and state = 'ready'`,
      [id, companyId],
    );
    if (attachment?.mediaKey)
      return { mediaKey: attachment.mediaKey, contentType: attachment.contentType, name: attachment.name };
    const contact = await reader.one<ContactRow>('select * from contact where id = ? and company_id = ?', [
      id,
      companyId,
    ]);
    return contact?.avatarMediaKey
      ? { mediaKey: contact.avatarMediaKey, contentType: 'image/jpeg', name: 'picture.jpg' }
      : undefined;
  });
}

/** One range; several at once are answered with the whole (RFC 9110 allows it). */
function rangeOf(header: string, size: number): { start: number; end: number } | 'unsatisfiable' | undefined {
  const found = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header);
  if (!found || (found[1] === '' && found[2] === '')) return undefined;
  const start = found[1] === '' ? Math.max(0, size - Number(found[2])) : Number(found[1]);
  const end = found[1] === '' || found[2] === '' ? size - 1 : Math.min(Number(found[2]), size - 1);
  return start >= size || start > end ? 'unsatisfiable' : { start, end };
}
