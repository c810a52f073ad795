// Attachments in a bucket of Amazon S3 or of anything that speaks its protocol, for several machines at once (O2).
import type { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import { newId } from '../base/ids.ts';
import { requireMediaKey, type Storage } from './storage.ts';

interface Place {
  readonly bucket: string;
  /** Empty, or with a slash at its end. */
  readonly prefix: string;
  readonly region: string;
  readonly endpoint: string | undefined;
}

/**
 * `s3://BUCKET/PREFIX?region=REGION&endpoint=ADDRESS`. Who we are, the vendor's SDK finds by itself: from `AWS_ACCESS_KEY_ID` and
 * `AWS_SECRET_ACCESS_KEY`, a profile, or the role of the machine. With `endpoint` the bucket is part of the path, not of the host.
 */
export function createS3Storage(mediaUrl: string): Storage {
  const { bucket, prefix, region, endpoint } = placeOf(mediaUrl);
  let opened: Promise<S3Client> | undefined;
  // The SDK is large: whoever keeps attachments in a folder does not load it.
  const sdk = () => import('@aws-sdk/client-s3');
  const client = (): Promise<S3Client> =>
    (opened ??= sdk().then(
      ({ S3Client: Client }) =>
        new Client({
          region,
          ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
          requestHandler: { connectionTimeout: 5_000, requestTimeout: 30_000 },
          maxAttempts: 3,
        }),
    ));
  const object = (key: string) => {
    requireMediaKey(key);
    return { Bucket: bucket, Key: prefix + key };
  };
  const get = async (key: string, range?: { start: number; end: number }): Promise<Readable> => {
    const { GetObjectCommand } = await sdk();
    const Range = range && `bytes=${range.start}-${range.end}`;
    const answer = await (await client()).send(new GetObjectCommand({ ...object(key), ...(Range ? { Range } : {}) }));
    return answer.Body as Readable;
  };
  return {
    put: async (bytes) => {
      const parts: Uint8Array[] = [];
      for await (const part of bytes) parts.push(part);
      const body = Buffer.concat(parts);
      const key = newId();
      const { PutObjectCommand } = await sdk();
      // The protocol wants the length beforehand; what is put here is bounded by whoever brings it (media/download.ts).
      await (await client()).send(new PutObjectCommand({ ...object(key), Body: body, ContentLength: body.length }));
      return { key, size: body.length };
    },
    read: async (key) => {
      const parts: Uint8Array[] = [];
      for await (const part of (await get(key)) as AsyncIterable<Uint8Array>) parts.push(part);
      return Buffer.concat(parts);
    },
    stream: get,
    size: async (key) => {
      const { HeadObjectCommand, NotFound } = await sdk();
      try {
        return (await (await client()).send(new HeadObjectCommand(object(key)))).ContentLength;
      } catch (error) {
        if (error instanceof NotFound) return undefined;
        throw error;
      }
    },
    remove: async (key) => {
      const { DeleteObjectCommand } = await sdk();
      await (await client()).send(new DeleteObjectCommand(object(key)));
    },
    close: async () => (await opened)?.destroy(),
  };
}

function placeOf(mediaUrl: string): Place {
  const url = new URL(mediaUrl);
  const path = url.pathname.replace(/^\/+|\/+$/g, '');
  return {
    bucket: url.hostname,
    prefix: path === '' ? '' : `${path}/`,
    region: url.searchParams.get('region') ?? 'us-east-1',
    endpoint: url.searchParams.get('endpoint') ?? undefined,
  };
}
