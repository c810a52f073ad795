// Files of messages: fetched from the app's address within Meta's limits, or refused with its codes (Saving assets).
import { GraphError } from './graph.ts';
import type { MetaAttachment, MetaFile } from './state.ts';

const mb = 1024 * 1024;
const fetchMs = 10_000;

export async function fetchAttachment(address: string): Promise<MetaFile> {
  const unfetched = new GraphError(100, 2018008, '(#100) Failed to fetch the file from the url');
  if (!URL.canParse(address)) throw unfetched;
  const url = new URL(address);
  // The real one wants https; a stand-in's neighbours live on the loopback address.
  const isLocal = url.protocol === 'http:' && /^(127\.0\.0\.1|localhost)$/.test(url.hostname);
  if (url.protocol !== 'https:' && !isLocal) throw unfetched;
  try {
    const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(fetchMs) });
    const bytes = Buffer.from(await response.arrayBuffer());
    if (response.status !== 200 || bytes.length === 0) throw unfetched;
    const contentType = (response.headers.get('content-type') ?? '').split(';')[0]?.trim() ?? '';
    return { bytes, contentType, name: decodeURIComponent(url.pathname.split('/').at(-1) || 'file') };
  } catch {
    throw unfetched;
  }
}

export function requireTypeAndSize(type: MetaAttachment['type'], file: MetaFile, byUrl: boolean): void {
  if (type !== 'file' && !file.contentType.startsWith(`${type}/`)) {
    throw new GraphError(100, 2018047, '(#100) The media type does not match the attachment type');
  }
  const limit = type === 'image' && byUrl ? 8 * mb : 25 * mb;
  if (file.bytes.length > limit) throw new GraphError(100, 2018109, '(#100) The attachment is too large');
}
