// Approved WhatsApp templates of an account, as the customer will read them (Content API: ContentAndApprovals).
import { z } from 'zod';
import type { ChannelAccess, Template } from '../provider.ts';
import { accountOf, twilioClient } from './client.ts';
import type { WhatsappSettings } from './settings.ts';

/** An account may hold 6,000; nobody picks from more than this. */
const most = 2_000;

export async function approvedTemplates(settings: WhatsappSettings, channel: ChannelAccess): Promise<Template[]> {
  const client = await twilioClient(settings, accountOf(channel));
  const found = await client.content.v1.contentAndApprovals.list({ pageSize: 1_000, limit: most });
  return found
    .flatMap((content) => templateOf(content) ?? [])
    .sort((left, right) => left.name.localeCompare(right.name) || left.language.localeCompare(right.language));
}

const contentShape = z.object({
  sid: z.string(),
  friendlyName: z.string().nullish(),
  language: z.string(),
  variables: z.record(z.string(), z.unknown()).nullish(),
  types: z.record(z.string(), z.record(z.string(), z.unknown())),
  approvalRequests: z.object({
    name: z.string().nullish(),
    category: z.string().nullish(),
    content_type: z.string().nullish(),
    status: z.string(),
  }),
});

/** Kinds we can show and fill in, the richest first: WhatsApp sends the richest that is approved. */
const shownTypes = [
  'whatsapp/card',
  'twilio/card',
  'twilio/call-to-action',
  'twilio/quick-reply',
  'twilio/media',
  'twilio/text',
];

/** Nothing for what is not approved (status `approved` alone may open a conversation) or is of a kind we cannot show. */
function templateOf(content: unknown): Template | undefined {
  const parsed = contentShape.safeParse(content);
  if (!parsed.success || parsed.data.approvalRequests.status !== 'approved') return undefined;
  const { sid, friendlyName, language, variables, types, approvalRequests } = parsed.data;
  const told = approvalRequests.content_type;
  const type = told && told in types ? told : shownTypes.find((name) => name in types);
  if (!type || !shownTypes.includes(type)) return undefined;
  const shape = types[type]!;
  const body = bodyOf(shape);
  if (body === '') return undefined;
  return {
    id: sid,
    name: (approvalRequests.name ?? friendlyName) || sid,
    language,
    body,
    variables: variablesIn(shape).map((name) => ({ name, example: wordsOf(variables?.[name]) || null })),
    buttons: buttonsOf(shape),
    category: categories.get(approvalRequests.category?.toLowerCase() ?? '') ?? null,
  };
}

/** `TRANSACTIONAL` is the older name. */
const categories = new Map([
  ['utility', 'utility'],
  ['transactional', 'utility'],
  ['marketing', 'marketing'],
  ['authentication', 'authentication'],
] as const) as ReadonlyMap<string, NonNullable<Template['category']>>;

/** Everything of it that the customer reads, from top to bottom. */
function bodyOf(shape: Readonly<Record<string, unknown>>): string {
  return ['header_text', 'title', 'body', 'subtitle', 'footer']
    .map((part) => wordsOf(shape[part]).trim())
    .filter((words) => words !== '')
    .join('\n\n');
}

function buttonsOf(shape: Readonly<Record<string, unknown>>): string[] {
  const actions = Array.isArray(shape.actions) ? (shape.actions as unknown[]) : [];
  return actions
    .map((action) => wordsOf((action as { title?: unknown } | null)?.title))
    .filter((title) => title !== '');
}

/** Names in the order they are met; they may stand in button and media addresses too. */
function variablesIn(shape: Readonly<Record<string, unknown>>): string[] {
  const everything = [bodyOf(shape), JSON.stringify(shape)].join('\n');
  return [...new Set([...everything.matchAll(/\{\{\s*(\w+)\s*\}\}/g)].map(([, name]) => name!))];
}

function wordsOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
