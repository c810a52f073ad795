// Channels as the screens show them, with their health in plain words (C14).
import { later } from '../base/clock.ts';
import { text, type Values } from '../base/texts.ts';
import type { Capabilities, MediaKind, ProviderName } from '../channels/provider.ts';
import type { Viewer } from '../companies/access.ts';
import { visibleChannel } from '../companies/access.ts';
import type { Reader } from '../db/database.ts';
import type { ChannelRow } from '../db/tables.ts';
import type { Channel } from '../web/contract.ts';
import { factsOf, type ChannelFacts } from './channel-state.ts';

export interface ChannelDeps {
  readonly capabilities: (provider: ProviderName) => Capabilities;
}

interface ListedChannel extends ChannelRow {
  ownerName: string | null;
  bridge: Channel['bridge'] | null;
}

/** How the channel (`ch`) stands in Leads Inbox: as its company does, unless it is not there itself (B4). */
const bridgeColumn = `(select case when ch.state = 'disconnected' or bc.state = 'removed' then 'off'
    when b.state = 'active' and bc.state is null then 'blocked' else b.state end
  from bridge b left join bridge_channel bc on bc.channel_id = ch.id where b.company_id = ch.company_id) as bridge`;

/** Channels the viewer may see: what is broken first, then by name. */
export async function listChannels(reader: Reader, deps: ChannelDeps, viewer: Viewer): Promise<Channel[]> {
  const visible = visibleChannel(viewer);
  const rows = await reader.query<ListedChannel>(
    `select ch.*, u.name as owner_name, ${bridgeColumn} from channel ch
     left join app_user u on u.company_id = ch.company_id and u.id = ch.owner_id
     where ${visible.sql}
     order by case ch.state when 'broken' then 0 when 'connected' then 1 else 2 end, ch.name, ch.id`,
    [...visible.parameters],
  );
  return rows.map((row) => channelShape(deps, viewer, row));
}

/** One channel, or nothing when the viewer may not see it. */
export async function readChannel(
  reader: Reader,
  deps: ChannelDeps,
  viewer: Viewer,
  id: string,
): Promise<Channel | undefined> {
  const visible = visibleChannel(viewer);
  const row = await reader.one<ListedChannel>(
    `select ch.*, u.name as owner_name, ${bridgeColumn} from channel ch
     left join app_user u on u.company_id = ch.company_id and u.id = ch.owner_id
     where ch.id = ? and ${visible.sql}`,
    [id, ...visible.parameters],
  );
  return row && channelShape(deps, viewer, row);
}

function channelShape(deps: ChannelDeps, viewer: Viewer, row: ListedChannel): Channel {
  const facts = factsOf(row);
  const reasons = reasonsOf(viewer, row, facts);
  const isBroken = row.state !== 'connected';
  return {
    id: row.id,
    provider: row.provider,
    name: row.name,
    account: row.account,
    address: row.address.replace(/^whatsapp:/, ''),
    avatarUrl: row.avatarUrl,
    visibility: row.visibility,
    owner: { id: row.ownerId, name: row.ownerName ?? row.ownerId },
    health: {
      state: isBroken ? 'broken' : reasons.length > 0 ? 'warning' : 'ok',
      reasons: reasons.map(({ code, words = code, values = {}, action = words }) => ({
        code,
        message: text(viewer.language, `health.${words}`, values),
        action: text(viewer.language, `health.${action}.action`),
      })),
      checks: checksOf(viewer, row, facts),
    },
    bridge: row.bridge ?? 'off',
    sending: sendingOf(deps.capabilities(row.provider)),
  };
}

function sendingOf({ maxText, templates, attachments }: Capabilities): Channel['sending'] {
  const kinds = Object.entries(attachments?.kinds ?? {}) as [
    MediaKind,
    { maxBytes: number; types: readonly string[] },
  ][];
  return {
    maxText,
    templates,
    files: attachments && kinds.map(([kind, { maxBytes, types }]) => ({ kind, maxBytes, types: [...types] })),
    captions: [...(attachments?.captions ?? [])],
  };
}

interface Reason {
  readonly code: string;
  /** Names the sentence `health.<words>` where it is not the code. */
  readonly words?: string;
  readonly values?: Values;
  /** Names the button's words `health.<action>.action` where they are not the sentence's own. */
  readonly action?: string;
}

/** Reasons of a dead token that have a sentence of their own. */
const tokenWords = new Set([
  'token_password',
  'token_app_removed',
  'token_checkpoint',
  'token_role',
  'token_page_left_out',
]);
/** Failures that concern the whole channel and not one message. */
const ofChannel = new Set(['page_restricted', 'policy', 'policy_warned', 'app_not_live']);
/** A permission that ends is told of so long before. */
const noticeMs = 14 * 24 * 3_600_000;

function reasonsOf(viewer: Viewer, row: ChannelRow, facts: ChannelFacts): Reason[] {
  if (row.state === 'disconnected') return [{ code: 'disconnected' }];
  if (row.state === 'broken') {
    if (row.provider === 'whatsapp')
      return [{ code: row.brokenReason === 'account_suspended' ? 'account_suspended' : 'credentials' }];
    const known = tokenWords.has(row.brokenReason ?? '') ? row.brokenReason! : 'token';
    return [{ code: 'token', words: known, action: 'token' }];
  }
  const reasons: Reason[] = [];
  const { check, lastError } = facts;
  if (check && check.missing.length > 0) {
    reasons.push({ code: 'permissions', values: { permissions: check.missing.join(', ') } });
  }
  const webhook = check?.webhook ?? facts.webhook;
  const isUnset = webhook === 'manual' && facts.provenAt === undefined;
  if (webhook === 'foreign') {
    reasons.push({ code: 'webhook_foreign', values: { host: check?.elsewhere ?? facts.elsewhere ?? '?' } });
  } else if (isUnset || webhook === 'service' || webhook === 'off') {
    reasons.push({ code: `webhook_${webhook}` });
  }
  // What comes from a number proves that it is right.
  if (facts.unlisted && facts.provenAt === undefined) reasons.push({ code: 'unlisted' });
  if (check?.endsAt && check.endsAt < later(check.at, noticeMs)) {
    reasons.push({ code: 'token_ends', values: { time: timeFor(viewer, check.endsAt) }, action: 'token' });
  }
  if (lastError && ofChannel.has(lastError.code) && isStanding(row, lastError)) reasons.push({ code: lastError.code });
  return reasons;
}

/** Nothing was sent since. */
function isStanding(row: ChannelRow, error: NonNullable<ChannelFacts['lastError']>): boolean {
  return row.lastOutboundAt === null || row.lastOutboundAt <= error.at;
}

function timeFor(viewer: Viewer, time: string): string {
  return new Intl.DateTimeFormat(viewer.language === 'sv' ? 'sv-SE' : 'en-GB', {
    dateStyle: 'medium',
    timeStyle: 'short',
    timeZone: viewer.timeZone,
  }).format(new Date(time));
}

type Check = Channel['health']['checks'][number];

function checksOf(viewer: Viewer, row: ChannelRow, facts: ChannelFacts): Check[] {
  const word = (key: string, values: Values = {}): string => text(viewer.language, `health.check.${key}`, values);
  const at = (time: string | null): string =>
    time === null ? text(viewer.language, 'health.never') : timeFor(viewer, time);
  const { check, lastError } = facts;
  const permission: Check = {
    name: word('permission'),
    ok: row.state === 'connected',
    value:
      row.state !== 'connected'
        ? word('gone')
        : check?.endsAt
          ? word('grantedUntil', { time: at(check.endsAt) })
          : word('granted'),
  };
  const checks = [permission];
  // A Page is granted right by right; whoever has an account's token has all of it.
  if (check && check.dead === null && row.provider === 'messenger') {
    const { missing } = check;
    checks.push({
      name: word('rights'),
      ok: missing.length === 0,
      value: missing.length === 0 ? word('rights.all') : word('rights.missing', { permissions: missing.join(', ') }),
    });
  }
  checks.push(webhookCheck(word, row, facts));
  if (check && check.otherApps.length > 0) {
    checks.push({ name: word('otherApps'), ok: true, value: check.otherApps.join(', ') });
  }
  checks.push(
    { name: word('lastInbound'), ok: true, value: at(row.lastInboundAt) },
    { name: word('lastOutbound'), ok: true, value: at(row.lastOutboundAt) },
    {
      name: word('lastError'),
      ok: !lastError || !isStanding(row, lastError),
      value: lastError ? `${text(viewer.language, `failed.${lastError.code}`)} (${at(lastError.at)})` : word('none'),
    },
  );
  if (facts.import) checks.push(importCheck(word, facts.import));
  return checks;
}

type Word = (key: string, values?: Values) => string;

function webhookCheck(word: Word, row: ChannelRow, facts: ChannelFacts): Check {
  const name = word('webhook');
  if (row.state === 'disconnected') return { name, ok: false, value: word('off') };
  const state = facts.check?.dead === null ? facts.check.webhook : (facts.webhook ?? 'set');
  switch (state) {
    case 'set':
      return { name, ok: true, value: word('set') };
    case 'restored':
      return { name, ok: true, value: word('restored') };
    case 'off':
      return { name, ok: false, value: word('off') };
    case 'service':
    case 'foreign':
      return { name, ok: false, value: word('foreign') };
    case 'manual':
      // Entered by hand: that something came is the proof. What is found by looking proves nothing.
      return { name, ok: facts.provenAt !== undefined, value: word(facts.provenAt ? 'byHand' : 'waiting') };
  }
}

function importCheck(word: Word, { state, done, total }: NonNullable<ChannelFacts['import']>): Check {
  const name = word('import');
  if (state === 'running') return { name, ok: true, value: word('import.running', { done, total: total ?? '…' }) };
  return { name, ok: state === 'done', value: word(`import.${state}`, { done }) };
}
