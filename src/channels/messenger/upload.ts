// Files of replies: what Messenger takes, and handing one over by its bytes (Saving assets; Attachment Upload API). No address
// of ours is fetched by Meta: no redirects, certificates and time limits of a fetch to fail at.
import { randomBytes } from 'node:crypto';
import { UpstreamError } from '../../base/errors.ts';
import type { AttachmentRules, ChannelAccess, OutboundAttachment } from '../provider.ts';
import { graph } from './graph.ts';
import type { MessengerDeps } from './settings.ts';

const maxBytes = 25 * 1024 * 1024;

/** 25 MB whatever it is; the type of an attachment must be that of its file, and `file` takes any. */
export const attachments: AttachmentRules = {
  kinds: {
    image: { maxBytes, types: ['image/jpeg', 'image/png', 'image/gif', 'image/webp'] },
    video: { maxBytes, types: ['video/*'] },
    audio: { maxBytes, types: ['audio/*'] },
    file: { maxBytes, types: ['*/*'] },
  },
  captions: [],
};

const uploadMs = 60_000;

/** Answers the attachment's id. Until that is sent nothing has reached anybody, so that every doubt may be tried again. */
export async function uploadAttachment(
  deps: MessengerDeps,
  channel: ChannelAccess,
  type: string,
  file: OutboundAttachment,
): Promise<string> {
  const { boundary, body } = multipart(
    JSON.stringify({ attachment: { type, payload: { is_reusable: true } } }),
    file,
    await file.bytes(),
  );
  try {
    const answer = await graph(deps, {
      method: 'POST',
      path: `${channel.address}/message_attachments`,
      token: channel.credentials.pageToken ?? '',
      body: { contentType: `multipart/form-data; boundary=${boundary}`, bytes: body },
      timeoutMs: uploadMs,
    });
    const id = answer.attachment_id;
    if (typeof id === 'string' || typeof id === 'number') return String(id);
    throw new UpstreamError('meta', 'retry', { reason: 'not_json' });
  } catch (error) {
    if (!(error instanceof UpstreamError) || error.kind !== 'unknown') throw error;
    throw new UpstreamError('meta', 'retry', { reason: error.reason ?? 'ambiguous', cause: error });
  }
}

function multipart(message: string, file: OutboundAttachment, bytes: Buffer): { boundary: string; body: Buffer } {
  const boundary = `inbox-${randomBytes(16).toString('hex')}`;
  // The customer sees this name; it must not end the header it stands in.
  const name = file.name.replace(/["\\\r\n]/g, '_');
  const type = file.contentType.split(';')[0]!.trim();
  const head = [
    `--${boundary}`,
    'Content-Disposition: form-data; name="message"',
    '',
    message,
    `--${boundary}`,
    `Content-Disposition: form-data; name="filedata"; filename="${name}"`,
    `Content-Type: ${type}`,
    '',
    '',
  ].join('\r\n');
  return { boundary, body: Buffer.concat([Buffer.from(head), bytes, Buffer.from(`\r\n--${boundary}--\r\n`)]) };
}
