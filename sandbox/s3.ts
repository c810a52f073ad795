// A local bucket that speaks S3's protocol as far as objects go: put, get with a range, head, delete. It refuses what is not
// signed (Signature Version 4 in the Authorization header), as the real one does.
import { createHash, createHmac } from 'node:crypto';
import Koa, { type Context } from 'koa';
import { listen, readBody } from './listen.ts';

export interface S3Sandbox {
  url: string;
  bucket: string;
  accessKeyId: string;
  secretAccessKey: string;
  region: string;
  /** By key, without the bucket. */
  objects: Map<string, Buffer>;
  stop(): Promise<void>;
}

const largestBody = 100_000_000;

export async function startS3(): Promise<S3Sandbox> {
  const objects = new Map<string, Buffer>();
  const known = {
    bucket: 'inbox-media',
    accessKeyId: 'AKIASANDBOX000000000',
    secretAccessKey: 'sandbox-secret-access-key-0123456789abcd',
    region: 'eu-north-1',
  };
  const app = new Koa();
  app.use(async (ctx) => {
    const body = await readBody(ctx, largestBody);
    const refusal = refusalOf(ctx, body, known);
    if (refusal) return refuse(ctx, 403, refusal);
    const [, bucket, ...rest] = ctx.path.split('/');
    if (bucket !== known.bucket) return refuse(ctx, 404, 'NoSuchBucket');
    handle(ctx, objects, decodeURIComponent(rest.join('/')), body);
  });
  const { url, stop } = await listen(app);
  return { ...known, url, objects, stop };
}

function handle(ctx: Context, objects: Map<string, Buffer>, key: string, body: Buffer): void {
  if (ctx.method === 'PUT') {
    objects.set(key, body);
    ctx.status = 200;
    ctx.set('ETag', `"${createHash('md5').update(body).digest('hex')}"`);
    return;
  }
  if (ctx.method === 'DELETE') {
    objects.delete(key);
    ctx.status = 204;
    return;
  }
  if (ctx.method !== 'GET' && ctx.method !== 'HEAD') return refuse(ctx, 405, 'MethodNotAllowed');
  const found = objects.get(key);
  if (!found) return refuse(ctx, 404, 'NoSuchKey');
  const range = /^bytes=(\d+)-(\d+)$/.exec(ctx.get('range'));
  const part = range ? found.subarray(Number(range[1]), Number(range[2]) + 1) : found;
  ctx.status = range ? 206 : 200;
  if (range) ctx.set('Content-Range', `bytes ${range[1]}-${Number(range[1]) + part.length - 1}/${found.length}`);
  ctx.type = 'application/octet-stream';
  ctx.length = part.length;
  if (ctx.method === 'GET') ctx.body = part;
}

function refuse(ctx: Context, status: number, code: string): void {
  ctx.status = status;
  if (ctx.method === 'HEAD') return;
  ctx.type = 'application/xml';
  ctx.body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${code}</Message></Error>`;
}

/** The error code, or nothing when the request is signed as it must be. */
function refusalOf(
  ctx: Context,
  body: Buffer,
  known: Pick<S3Sandbox, 'accessKeyId' | 'secretAccessKey' | 'region'>,
): string | undefined {
  const parts =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      ctx.get('authorization'),
    );
  if (!parts) return 'AccessDenied';
  const [, id, day, region, names = '', signature] = parts as unknown as string[];
  if (id !== known.accessKeyId) return 'InvalidAccessKeyId';
  if (region !== known.region) return 'AuthorizationHeaderMalformed';
  const hash = ctx.get('x-amz-content-sha256');
  if (hash !== 'UNSIGNED-PAYLOAD' && hash !== sha256(body)) return 'XAmzContentSHA256Mismatch';
  const query = [...new URLSearchParams(ctx.querystring)]
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .sort()
    .join('&');
  const headers = names.split(';').map((name) => `${name}:${ctx.get(name).trim()}\n`);
  const canonical = [ctx.method, ctx.path, query, headers.join(''), names, hash].join('\n');
  const scope = `${day}/${region}/s3/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', ctx.get('x-amz-date'), scope, sha256(canonical)].join('\n');
  const key = [day!, region, 's3', 'aws4_request'].reduce<string | Buffer>(
    (secret, part) => createHmac('sha256', secret).update(part).digest(),
    `AWS4${known.secretAccessKey}`,
  );
  return createHmac('sha256', key).update(toSign).digest('hex') === signature ? undefined : 'SignatureDoesNotMatch';
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
