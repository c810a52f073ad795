// Approved templates of a channel: listed for the picker, and filled in for a reply outside the reply window (C7, C9).
import { UserError } from '../base/errors.ts';
import type { Template } from '../channels/provider.ts';
import { visibleChannel, type Viewer } from '../companies/access.ts';
import type { ChannelRow } from '../db/tables.ts';
import { conversationFor } from './conversation.ts';
import { accessOf, type InboxDeps } from './deps.ts';

export async function listTemplates(deps: InboxDeps, viewer: Viewer, channelId: string): Promise<Template[]> {
  const visible = visibleChannel(viewer);
  const channel = await deps.db.read((reader) =>
    reader.one<ChannelRow>(`select ch.* from channel ch where ch.id = ? and ${visible.sql}`, [
      channelId,
      ...visible.parameters,
    ]),
  );
  if (!channel) throw new UserError('not_found');
  return channel.state === 'disconnected' ? [] : templatesOf(deps, channel);
}

/** None where the provider has none. */
export function templatesOf(deps: InboxDeps, channel: ChannelRow): Promise<Template[]> {
  const { templates } = deps.provider(channel.provider);
  if (!templates) return Promise.resolve([]);
  return deps.templates.take(channel.id, () => templates(accessOf(deps, channel)));
}

export interface WantedTemplate {
  readonly id: string;
  readonly variables: Readonly<Record<string, string>>;
}

export interface FilledTemplate {
  readonly id: string;
  readonly name: string;
  readonly variables: Readonly<Record<string, string>>;
  /** As the customer will read it. */
  readonly text: string;
}

/** The template with its variables in place; asks the provider for its templates when ours are old. */
export async function fillTemplate(
  deps: InboxDeps,
  viewer: Viewer,
  conversationId: string,
  wanted: WantedTemplate,
): Promise<FilledTemplate> {
  const channel = await deps.db.read(async (reader) => {
    const conversation = await conversationFor(reader, viewer, conversationId);
    return reader.one<ChannelRow>('select * from channel where id = ?', [conversation.channelId]);
  });
  if (channel?.state !== 'connected') throw new UserError('channel_broken', { reason: channel?.brokenReason });
  const template = (await templatesOf(deps, channel)).find(({ id }) => id === wanted.id);
  if (!template) throw new UserError('template_refused', { reason: 'unknown', id: wanted.id });
  requireVariables(template, wanted.variables);
  const text = template.body.replace(/\{\{\s*(\w+)\s*\}\}/g, (whole, name: string) =>
    Object.hasOwn(wanted.variables, name) ? wanted.variables[name]!.trim() : whole,
  );
  if (text.length > maxTemplateText)
    throw new UserError('too_long', { max: maxTemplateText, over: text.length - maxTemplateText });
  const variables = Object.fromEntries(template.variables.map(({ name }) => [name, wanted.variables[name]!.trim()]));
  return { id: template.id, name: template.name, variables, text };
}

/** WhatsApp takes no more of a template with its variables in place (error page 63021). */
const maxTemplateText = 1_024;

/**
 * Every variable is asked for: one left out would reach the customer as the template's own example. Line breaks, tabs and
 * more than four blanks in a row are against WhatsApp's rules (error page 63013).
 */
function requireVariables(template: Template, given: Readonly<Record<string, string>>): void {
  const fields = Object.fromEntries(
    template.variables.flatMap(({ name }) => {
      const value = Object.hasOwn(given, name) ? given[name]!.trim() : '';
      const problem = value === '' ? 'required' : /[\r\n\t]| {5,}/.test(value) ? 'spaces' : undefined;
      return problem ? [[name, problem]] : [];
    }),
  );
  const unknown = Object.keys(given).filter((name) => !template.variables.some((variable) => variable.name === name));
  for (const name of unknown) fields[name] = 'unknown';
  const problems = Object.values(fields);
  if (problems.length === 0) return;
  throw new UserError('template_refused', { reason: problems.includes('required') ? 'incomplete' : 'values', fields });
}
