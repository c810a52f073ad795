// What a user wrote, as the messages it becomes: a provider takes one file a message, and a text only with some of them. Pure.
import { UserError } from '../base/errors.ts';
import type { AttachmentRules, MediaKind } from '../channels/provider.ts';
import type { AttachmentRow } from '../db/tables.ts';

export interface Part {
  readonly kind: 'text' | MediaKind;
  readonly text: string;
  readonly attachment: AttachmentRow | null;
}

/** Throws `attachment_refused` for the first file that this provider would not take. */
export function splitReply(rules: AttachmentRules | null, text: string, files: readonly AttachmentRow[]): Part[] {
  const parts = files.map((attachment): Part => ({ kind: kindOf(rules, attachment), text: '', attachment }));
  if (text === '') return parts;
  const [first, ...others] = parts;
  // With the first file, where it takes one; else behind all of them, as the provider would show it.
  if (first && rules?.captions.some((kind) => kind === first.kind)) return [{ ...first, text }, ...others];
  return [...parts, { kind: 'text', text, attachment: null }];
}

/** As what this provider takes the file: its own kind if that fits, else the first that does. */
function kindOf(rules: AttachmentRules | null, file: AttachmentRow): MediaKind {
  if (!rules) throw new UserError('attachment_refused', { reason: 'no_files', name: file.name });
  const kinds = Object.entries(rules.kinds) as [MediaKind, { maxBytes: number; types: readonly string[] }][];
  const fitting = kinds.filter(([, { types }]) => types.some((type) => matches(type, file.contentType)));
  const [kind, rule] = fitting.find(([name]) => name === file.kind) ?? fitting[0] ?? [];
  if (!kind || !rule) {
    const types = kinds.flatMap(([, { types: taken }]) => taken);
    throw new UserError('attachment_refused', {
      reason: 'type',
      name: file.name,
      contentType: file.contentType,
      types: namesOf(types),
    });
  }
  const size = file.size ?? 0;
  if (size > rule.maxBytes) {
    throw new UserError('attachment_refused', {
      reason: 'too_large',
      name: file.name,
      kind,
      sizeBytes: size,
      limitBytes: rule.maxBytes,
    });
  }
  return kind;
}

function matches(pattern: string, contentType: string): boolean {
  const parts = pattern.split('/');
  return contentType.split('/').every((word, index) => parts[index] === '*' || parts[index] === word);
}

/** Types as people call them: by the usual ending of such a file. */
function namesOf(types: readonly string[]): string {
  return [...new Set(types.map((type) => endings[type] ?? type.split(/[/;]/)[1]!))].join(', ').toUpperCase();
}

const endings: Readonly<Record<string, string>> = {
  'image/jpeg': 'jpg',
  'audio/mpeg': 'mp3',
  'audio/3gpp': '3gp',
  'video/3gpp': '3gp',
  'video/quicktime': 'mov',
  'application/msword': 'doc',
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document': 'docx',
  'application/vnd.openxmlformats-officedocument.presentationml.presentation': 'pptx',
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': 'xlsx',
  'text/vcard': 'vcf',
};
