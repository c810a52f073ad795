// Small true files of several kinds, and a user handing one over.
import type { Answer, TestUser } from './world.ts';

export interface TestFile {
  readonly name: string;
  readonly bytes: Buffer;
}

const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

/** One pixel, filled up with bytes that picture programs skip. */
export function pngFile(name = 'photo.png', size = 0): TestFile {
  return { name, bytes: filled(Buffer.from(png, 'base64'), size) };
}

export function pdfFile(name = 'offer.pdf', size = 0): TestFile {
  return { name, bytes: filled(Buffer.from('%PDF-1.4\n1 0 obj <</Type/Catalog>> endobj\n%%EOF\n'), size) };
}

/** An Ogg page whose first packet says Opus, as a voice message has it. */
export function voiceFile(name = 'voice.ogg'): TestFile {
  const page = Buffer.alloc(28);
  page.write('OggS');
  page.writeUInt8(2, 5);
  page.writeUInt8(1, 26);
  page.writeUInt8(19, 27);
  return { name, bytes: Buffer.concat([page, Buffer.from('OpusHead'), Buffer.alloc(200)]) };
}

export function textFile(name = 'notes.txt', words = 'Only words.'): TestFile {
  return { name, bytes: Buffer.from(words) };
}

function filled(bytes: Buffer, size: number): Buffer {
  return size > bytes.length ? Buffer.concat([bytes, Buffer.alloc(size - bytes.length)]) : bytes;
}

export interface Uploaded {
  readonly id: string;
  readonly name: string;
  readonly contentType: string;
  readonly size: number;
  readonly error?: { readonly code: string; readonly message: string; readonly details?: Record<string, unknown> };
}

export async function upload(url: string, user: Pick<TestUser, 'token'>, file: TestFile): Promise<Answer<Uploaded>> {
  const form = new FormData();
  form.append('file', new Blob([new Uint8Array(file.bytes)]), file.name);
  const answer = await fetch(`${url}/api/attachments`, {
    method: 'POST',
    headers: { authorization: `Bearer ${user.token}` },
    body: form,
  });
  return { status: answer.status, body: (await answer.json()) as Uploaded, headers: answer.headers };
}
