// What a file is, from its bytes: what the other side or a file's name says is not trusted.
import { open } from 'node:fs/promises';
import { fileTypeFromBuffer, fileTypeFromFile } from 'file-type';
import { imageSize } from './image-size.ts';

export interface Described {
  readonly contentType: string;
  readonly width: number | null;
  readonly height: number | null;
}

const unknown = 'application/octet-stream';
const headBytes = 65_536;

/** Type and picture size, from the first bytes. */
export async function describeMedia(head: Buffer): Promise<Described> {
  const type = await fileTypeFromBuffer(head).catch(() => undefined);
  return described(type?.mime ?? unknown, head);
}

/** The same of a whole file, whose name may say which of several types that look alike it is. */
export async function describeFile(path: string, name: string): Promise<Described> {
  const head = await headOf(path);
  const type = await fileTypeFromFile(path).catch(() => undefined);
  const found = type?.mime ?? (isText(head) ? 'text/plain' : unknown);
  return described(lookAlikes[found]?.[extensionOf(name)] ?? found, head);
}

/** Older Office files share one container, and plain text has no mark at all. */
const lookAlikes: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'application/x-cfb': {
    doc: 'application/msword',
    xls: 'application/vnd.ms-excel',
    ppt: 'application/vnd.ms-powerpoint',
  },
  'text/plain': { csv: 'text/csv' },
};

function extensionOf(name: string): string {
  return /\.(\w{1,5})$/.exec(name)?.[1]?.toLowerCase() ?? '';
}

function described(contentType: string, head: Buffer): Described {
  const size = imageSize(head);
  return { contentType, width: size?.width ?? null, height: size?.height ?? null };
}

/** Whole UTF-8 without control characters but those of lines and tabs. The last bytes may be half a character. */
function isText(head: Buffer): boolean {
  try {
    const words = new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true });
    return head.length > 0 && !/[\u0000-\u0008\u000e-\u001f]/.test(words);
  } catch {
    return false;
  }
}

async function headOf(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(headBytes), 0, headBytes, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
