// Pipedrive's webhooks v2 in: proven by the company's Basic auth, what concerns us stored as jobs, then acknowledged (L6, H3).
import type { Context } from 'koa';
import { z } from 'zod';
import { later, timeText } from '../base/clock.ts';
import { sameSecret, sha256 } from '../base/crypto.ts';
import { checkNote } from '../history/check-note.ts';
import type { Tx } from '../db/database.ts';
import { followRecord } from '../inbox/link-follow.ts';
import { webhookOf, webhookPlace, webhookUser } from '../inbox/link-watch.ts';
import { readRequest, type WebhookDeps } from './webhooks.ts';

const eventShape = z.object({
  meta: z.object({
    action: z.string(),
    entity: z.string(),
    entity_id: z.union([z.string(), z.number()]).transform(String),
    merged_to_id: z.union([z.string(), z.number()]).transform(String).nullish(),
  }),
  data: z.object({ content: z.string().nullish() }).nullish(),
});
type PipedriveEvent = z.infer<typeof eventShape>;

/** So often it is written down that something came: enough to know that they come at all. */
const receivedEveryMs = 20_000;

export async function receivePipedrive(deps: WebhookDeps, ctx: Context, companyId: string): Promise<void> {
  const request = await readRequest(deps, ctx, 'pipedrive');
  if (!request) return;
  if (!(await isGenuine(deps, companyId, ctx.get('authorization')))) {
    deps.metrics.webhooks.inc({ provider: 'pipedrive', outcome: 'forbidden' });
    ctx.status = 403;
    ctx.body = '';
    return;
  }
  const event = readEvent(request.body);
  await deps.db.transaction(async (tx) => {
    const now = timeText(deps.clock);
    await tx.query(
      `update pipedrive_webhook set received_at = ?
       where company_id = ? and (received_at is null or received_at < ?)`,
      [now, companyId, later(now, -receivedEveryMs)],
    );
    if (event) await enqueueLook(deps, tx, companyId, event, now);
  });
  deps.metrics.webhooks.inc({ provider: 'pipedrive', outcome: event ? 'stored' : 'ignored' });
  ctx.status = 200;
  ctx.body = '';
}

async function isGenuine(deps: WebhookDeps, companyId: string, authorization: string): Promise<boolean> {
  const row = await deps.db.read((reader) => webhookOf(reader, companyId));
  if (!row) return false;
  const password = deps.vault.open(row.sealedPassword, webhookPlace(companyId));
  return sameSecret(authorization, `Basic ${Buffer.from(`${webhookUser}:${password}`).toString('base64')}`);
}

/** What makes no sense is acknowledged and left: it would make no more the next time. */
function readEvent(body: Buffer): PipedriveEvent | undefined {
  try {
    return eventShape.safeParse(JSON.parse(body.toString('utf8'))).data;
  } catch {
    return undefined;
  }
}

/** Only says that something is to be looked at: so a doubled, late or reordered event does no harm. */
async function enqueueLook(
  deps: WebhookDeps,
  tx: Tx,
  companyId: string,
  { meta, data }: PipedriveEvent,
  now: string,
): Promise<void> {
  if (meta.action === 'create') return;
  if (meta.entity === 'note') {
    const notes = await tx.query<{ id: string; linkId: string; contentHash: string }>(
      'select id, link_id, content_hash from note where company_id = ? and pipedrive_note_id = ? and content_hash is not null',
      [companyId, meta.entity_id],
    );
    // Our own write comes back to us too, and says what we remember.
    const seenHash = data?.content == null ? null : sha256(data.content);
    for (const { id, linkId } of notes.filter(({ contentHash }) => seenHash !== contentHash)) {
      const key = `${id}:${seenHash}`;
      await deps.queue.enqueue(tx, checkNote, { noteId: id, seenHash }, { lane: `note:${linkId}`, key, delayMs: 500 });
    }
    return;
  }
  const links = await tx.query<{ id: string }>(
    `select id from link where company_id = ? and type = ? and record_id = ? and removed_at is null and state = 'active'`,
    [companyId, meta.entity, meta.entity_id],
  );
  const merged = meta.action === 'delete' && meta.merged_to_id ? { mergedTo: meta.merged_to_id } : {};
  for (const { id } of links) {
    await deps.queue.enqueue(
      tx,
      followRecord,
      { linkId: id, since: now, ...merged },
      { lane: `link:${id}`, key: meta.action === 'delete' ? `${id} gone` : id, delayMs: 300 },
    );
  }
}
