// Where the bytes of attachments lie: a folder, or a bucket (`s3-storage.ts`). Keys are made by us; no outside text is ever part
// of a path.
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { newId } from '../base/ids.ts';

export interface Storage {
  /** Stores bytes whole or not at all; answers their key. */
  put(bytes: AsyncIterable<Uint8Array> | readonly Uint8Array[]): Promise<{ key: string; size: number }>;
  read(key: string): Promise<Buffer>;
  /** A stream of the bytes from `start` to `end`, both included. */
  stream(key: string, range?: { start: number; end: number }): Promise<Readable>;
  size(key: string): Promise<number | undefined>;
  remove(key: string): Promise<void>;
  close(): Promise<void>;
}

const keyShape = /^[0-9a-f-]{36}$/;

/** Throws for what is not a key of ours, before it becomes part of a path. */
export function requireMediaKey(key: string): void {
  if (!keyShape.test(key)) throw new Error('not a media key');
}

/** In a folder: `file:FOLDER`. */
export function createFolderStorage(mediaUrl: string): Storage {
  const folder = resolve(mediaUrl.slice('file:'.length));
  const pathOf = (key: string): string => {
    requireMediaKey(key);
    // Two levels keep folders small; the last characters are random, the first are time.
    return join(folder, key.slice(-2), key);
  };
  return {
    put: async (bytes) => {
      const key = newId();
      const path = pathOf(key);
      await mkdir(join(path, '..'), { recursive: true });
      const unfinished = `${path}.part`;
      const file = await open(unfinished, 'wx');
      let size = 0;
      try {
        for await (const part of bytes) {
          await file.write(part);
          size += part.byteLength;
        }
        await file.sync();
        await file.close();
        await rename(unfinished, path);
      } catch (error) {
        await file.close().catch(() => undefined);
        await rm(unfinished, { force: true });
        throw error;
      }
      return { key, size };
    },
    read: (key) => readFile(pathOf(key)),
    stream: async (key, range) => createReadStream(pathOf(key), range),
    size: async (key) => {
      const found = await stat(pathOf(key)).catch(() => undefined);
      return found?.size;
    },
    remove: (key) => rm(pathOf(key), { force: true }),
    close: () => Promise.resolve(),
  };
}
