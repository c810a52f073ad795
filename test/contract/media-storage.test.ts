// Every place that attachments can lie in keeps the same promises (O2).
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createS3Storage } from '../../src/media/s3-storage.ts';
import { createFolderStorage, type Storage } from '../../src/media/storage.ts';
import { picture, pictureNames } from '../../sandbox/pictures.ts';
import { startS3, type S3Sandbox } from '../../sandbox/s3.ts';
import { until } from '../support/wait.ts';
import { newNumber, world } from '../support/world.ts';

const places: Record<string, () => Promise<Storage>> = {
  'a folder': async () => {
    const folder = await mkdtemp(join(tmpdir(), 'inbox-media-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    return createFolderStorage(`file:${folder}/not/there/yet`);
  },
  'a bucket': async () => createS3Storage((await bucket()).mediaUrl),
};

/** A bucket, with who we are in the environment, where the vendor's SDK looks for it. */
async function bucket(): Promise<{ s3: S3Sandbox; mediaUrl: string }> {
  const s3 = await startS3();
  vi.stubEnv('AWS_ACCESS_KEY_ID', s3.accessKeyId);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', s3.secretAccessKey);
  onTestFinished(async () => {
    vi.unstubAllEnvs();
    await s3.stop();
  });
  return { s3, mediaUrl: `s3://${s3.bucket}/some/place?region=${s3.region}&endpoint=${encodeURIComponent(s3.url)}` };
}

async function* slowly(...parts: string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    await new Promise(setImmediate);
    yield Buffer.from(part);
  }
}

async function textOf(parts: AsyncIterable<unknown>): Promise<string> {
  let text = '';
  for await (const part of parts) text += String(part);
  return text;
}

describe.each(Object.entries(places))('%s', (_, open) => {
  test('gives back what was put, whole or in part, knows its size, and forgets it when told', async () => {
    const storage = await open();

    const { key, size } = await storage.put(slowly('one ', 'two ', 'three'));

    expect(size).toBe(13);
    expect(await storage.size(key)).toBe(13);
    expect((await storage.read(key)).toString()).toBe('one two three');
    expect(await textOf(await storage.stream(key))).toBe('one two three');
    expect(await textOf(await storage.stream(key, { start: 4, end: 6 }))).toBe('two');
    await storage.remove(key);
    await storage.remove(key);
    expect(await storage.size(key)).toBeUndefined();
    await expect(storage.read(key)).rejects.toThrow();
    await storage.close();
  });

  test('keeps nothing of what broke off', async () => {
    const storage = await open();
    const breaking = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from('half');
      await new Promise(setImmediate);
      throw new Error('broke off');
    };

    await expect(storage.put(breaking())).rejects.toThrow('broke off');
    await storage.close();
  });

  test.each(['../../etc/passwd', 'a/b', '', '..'])('takes %j for no key (F-01)', async (key) => {
    const storage = await open();

    await expect(async () => storage.read(key)).rejects.toThrow('not a media key');
    await storage.close();
  });
});

test('a bucket that knows us not takes nothing, and says so', async () => {
  const { s3, mediaUrl } = await bucket();
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'another-secret');
  const storage = createS3Storage(mediaUrl);

  await expect(storage.put(slowly('one'))).rejects.toThrow('SignatureDoesNotMatch');
  expect(s3.objects.size).toBe(0);
  await storage.close();
});

test('with a bucket, a picture arrives, is served, and is gone from it when its conversation is deleted (O2, V7)', async () => {
  const { s3, mediaUrl } = await bucket();
  const here = await world({ environment: { MEDIA_URL: mediaUrl } });
  const { number } = await here.whatsapp();
  const customer = here.sandbox.twilio.customer(newNumber(), { name: 'Aisha Rahman' });
  await customer.writes('The chimney side', { to: number, media: [await picture(pictureNames[0]!)] });
  const conversation = await here.admin.conversationWith('Aisha Rahman');
  const shown = await until(async () => {
    const [message] = await here.admin.messages(conversation.id);
    return message?.attachments.find(({ state }) => state === 'ready');
  }, 'the picture');

  const part = await fetch(shown.url!, { headers: { range: 'bytes=0-3' } });
  expect([part.status, (await part.arrayBuffer()).byteLength]).toEqual([206, 4]);
  const whole = await fetch(shown.url!);
  expect(Buffer.from(await whole.arrayBuffer()).equals([...s3.objects.values()][0]!)).toBe(true);
  expect([...s3.objects.keys()]).toEqual([expect.stringMatching(/^some\/place\/[0-9a-f-]{36}$/)]);

  expect((await here.admin.call('DELETE', `/api/conversations/${conversation.id}`)).status).toBe(204);
  await until(() => s3.objects.size === 0, 'an empty bucket');
  expect((await fetch(shown.url!)).status).toBe(404);
});
