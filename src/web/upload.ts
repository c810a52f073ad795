// The files of a multipart form, taken into temporary files that are gone when the call is over, whatever happened.
import { rm } from 'node:fs/promises';
import type { Context, Next } from 'koa';
import { koaBody } from 'koa-body';
import { UserError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';

export interface UploadedFile {
  readonly path: string;
  /** As the sender named it. */
  readonly name: string;
  readonly size: number;
}

/** The largest file any provider takes from us (Messenger: 25 MB). */
const maxBytes = 25 * 1024 * 1024;
const maxTotalBytes = 4 * maxBytes;
/** formidable 3.5, FormidableError: the file, or all of them together, is bigger than `maxFileSize`. */
const tooLarge = new Set([1009, 1016]);

/** One file; or as many as `maxFiles`, and texts of `maxTextBytes` together beside them. */
export function takeFiles({ maxFiles = 1, maxTextBytes = 10_000 } = {}) {
  const read = koaBody({
    multipart: true,
    json: false,
    urlencoded: false,
    text: false,
    formidable: {
      filename: () => `inbox-upload-${process.pid}-${newId()}`,
      maxFiles,
      maxFileSize: maxBytes,
      maxTotalFileSize: Math.min(maxFiles * maxBytes, maxTotalBytes),
      maxFields: 20,
      maxFieldsSize: maxTextBytes,
      // An empty file is refused with words of ours.
      allowEmptyFiles: true,
      minFileSize: 0,
    },
    onError: (error, ctx) => {
      // What is left of the body is read and dropped, so that the sender gets to read the answer.
      ctx.req.resume();
      if (tooLarge.has((error as { code?: unknown }).code as number))
        throw new UserError('payload_too_large', { limitBytes: maxBytes });
      throw new UserError('invalid', { fields: { file: 'malformed' } }, { cause: error });
    },
  });
  return async (ctx: Context, next: Next): Promise<void> => {
    if (!ctx.is('multipart/form-data')) throw new UserError('unsupported_media_type');
    try {
      await read(ctx, next);
    } finally {
      for (const { filepath } of filesOf(ctx)) await rm(filepath, { force: true });
    }
  };
}

/** The file that was taken; a form without one, or with something else under its name, is refused by who needs it. */
export function fileOf(ctx: Context): UploadedFile | undefined {
  return filesIn(ctx, 'file')[0];
}

/** The files that came under a name, in their order: the parser gives them as they were written, but names them as they came. */
export function filesIn(ctx: Context, field: string): UploadedFile[] {
  const inOrder = filesOf(ctx, field).sort((one, other) => (one.filepath < other.filepath ? -1 : 1));
  return inOrder.map(({ filepath, originalFilename, size }) => ({
    path: filepath,
    name: originalFilename ?? '',
    size,
  }));
}

interface FormidableFile {
  readonly filepath: string;
  readonly originalFilename: string | null;
  readonly size: number;
}

function filesOf(ctx: Context, field?: string): FormidableFile[] {
  const files = (ctx.request as { files?: Record<string, FormidableFile | FormidableFile[]> }).files ?? {};
  return Object.entries(files).flatMap(([name, found]) => (field === undefined || name === field ? found : []));
}
