// Meta's callbacks about the person who connected Pages: he removed the app, or wants his data deleted; and the page on which he
// can see that it was (Data Deletion Request Callback).
import type { Context } from 'koa';
import type { ConnectDeps } from '../inbox/connect.ts';
import { deauthorize, deletePerson, readDeletion } from '../inbox/facebook-person.ts';
import { showPage } from './oauth.ts';

export async function deauthorizeCallback(deps: ConnectDeps, ctx: Context): Promise<void> {
  const person = requirePerson(deps, ctx);
  if (person === null) return;
  await deauthorize(deps, person);
  ctx.status = 200;
  ctx.body = { success: true };
}

export async function deletionCallback(deps: ConnectDeps, ctx: Context): Promise<void> {
  const person = requirePerson(deps, ctx);
  if (person === null) return;
  const code = await deletePerson(deps, person);
  ctx.status = 200;
  ctx.body = { url: `${deps.publicUrl}/privacy/deletion/${code}`, confirmation_code: code };
}

export async function deletionStatus(deps: ConnectDeps, ctx: Context, code: string): Promise<void> {
  const found = /^[0-9a-f]{32}$/.test(code) ? await readDeletion(deps, code) : undefined;
  if (!found) return showPage(ctx, 404, { key: 'deletion.unknown' });
  const time = `${found.doneAt.slice(0, 16).replace('T', ' ')} UTC`;
  showPage(ctx, 200, { key: 'deletion.done', values: { code, time } });
}

/** Null after a refusal. The field is in a form; JSON is taken too, as the body of one of the two is not documented. */
function requirePerson(deps: ConnectDeps, ctx: Context): string | null {
  const { signed_request: signed } = ((ctx.request as { body?: unknown }).body ?? {}) as { signed_request?: unknown };
  const person = typeof signed === 'string' ? (deps.providers.messenger?.signedPerson(signed) ?? null) : null;
  if (person === null) {
    deps.metrics.webhooks.inc({ provider: 'messenger', outcome: 'forbidden' });
    ctx.status = 403;
    ctx.body = '';
  }
  return person;
}
