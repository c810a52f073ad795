// Channels as the screens show them, with their health in plain words (C14).
import { text } from '../base/texts.ts';
import type { Capabilities, MediaKind, ProviderName } from '../channels/provider.ts';
import type { Viewer } from '../companies/access.ts';
import { visibleChannel } from '../companies/access.ts';
import type { Reader } from '../db/database.ts';
import type { ChannelRow } from '../db/tables.ts';
import type { Channel } from '../web/contract.ts';
import type { ChannelFacts } from './connect.ts';

export interface ChannelDeps {
  readonly capabilities: (provider: ProviderName) => Capabilities;
}

interface ListedChannel extends ChannelRow {
  ownerName: string | null;
}

/** Channels the viewer may see: what is broken first, then by name. */
export async function listChannels(reader: Reader, deps: ChannelDeps, viewer: Viewer): Promise<Channel[]> {
  const visible = visibleChannel(viewer);
  const rows = await reader.query<ListedChannel>(
    `select ch.*, u.name as owner_name from channel ch
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
    `select ch.*, u.name as owner_name from channel ch
     left join app_user u on u.company_id = ch.company_id and u.id = ch.owner_id
     where ch.id = ? and ${visible.sql}`,
    [id, ...visible.parameters],
  );
  return row && channelShape(deps, viewer, row);
}

function channelShape(deps: ChannelDeps, viewer: Viewer, row: ListedChannel): Channel {
  const facts = JSON.parse(row.facts) as ChannelFacts;
  const codes = reasonsOf(row, facts);
  const isBroken = row.state !== 'connected';
  return {
    id: row.id,
    provider: row.provider,
    name: row.name,
    address: row.address.replace(/^whatsapp:/, ''),
    avatarUrl: row.avatarUrl,
    visibility: row.visibility,
    owner: { id: row.ownerId, name: row.ownerName ?? row.ownerId },
    health: {
      state: isBroken ? 'broken' : codes.length > 0 ? 'warning' : 'ok',
      reasons: codes.map((code) => ({
        code,
        message: text(viewer.language, `health.${code}`),
        action: text(viewer.language, `health.${code}.action`),
      })),
      checks: checksOf(viewer, row, facts),
    },
    bridge: 'off',
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

function reasonsOf(row: ChannelRow, facts: ChannelFacts): string[] {
  if (row.state === 'disconnected') return ['disconnected'];
  if (row.state === 'broken') return [row.provider === 'messenger' ? 'token' : 'credentials'];
  const reasons: string[] = [];
  if (facts.unlisted) reasons.push('unlisted');
  if (facts.webhook === 'foreign') reasons.push('webhook_foreign');
  if (facts.webhook === 'manual') reasons.push('webhook_manual');
  return reasons;
}

function checksOf(viewer: Viewer, row: ChannelRow, facts: ChannelFacts): Channel['health']['checks'] {
  const word = (key: string): string => text(viewer.language, key);
  const at = (time: string | null): string =>
    time === null
      ? word('health.never')
      : new Intl.DateTimeFormat(viewer.language === 'sv' ? 'sv-SE' : 'en-GB', {
          dateStyle: 'medium',
          timeStyle: 'short',
          timeZone: viewer.timeZone,
        }).format(new Date(time));
  const sending = row.state === 'connected';
  return [
    {
      name: word('health.check.permission'),
      ok: sending,
      value: word(sending ? 'health.check.granted' : 'health.check.gone'),
    },
    {
      name: word('health.check.webhook'),
      ok: facts.webhook === undefined || facts.webhook === 'set' || row.lastInboundAt !== null,
      value: word(facts.webhook === undefined || facts.webhook === 'set' ? 'health.check.set' : 'health.check.byHand'),
    },
    { name: word('health.check.lastInbound'), ok: true, value: at(row.lastInboundAt) },
    { name: word('health.check.lastOutbound'), ok: true, value: at(row.lastOutboundAt) },
  ];
}
