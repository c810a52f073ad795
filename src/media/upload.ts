// From a file somebody handed us to our storage.
import { createReadStream } from 'node:fs';
import { describeFile, type Described } from './describe.ts';
import type { Storage } from './storage.ts';

export interface Kept extends Described {
  readonly mediaKey: string;
  readonly size: number;
}

/** Copies the file at `path`; `name` is what its owner calls it. */
export async function keepFile(storage: Storage, path: string, name: string): Promise<Kept> {
  const described = await describeFile(path, name);
  const { key, size } = await storage.put(createReadStream(path));
  return { ...described, mediaKey: key, size };
}
