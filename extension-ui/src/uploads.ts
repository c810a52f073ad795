// Files on their way to being sent: what is checked before they leave, and a tile for each. Pure but for the upload itself.
import type { Attachment, Channel } from '../../src/web/contract.ts';
import { t } from './texts.ts';
import { fileSize } from './time.ts';

export interface Upload {
  readonly key: string;
  readonly name: string;
  readonly size: number;
  readonly kind: Attachment['kind'];
  readonly contentType: string;
  /** Address of the picture in this browser; null for other files. */
  readonly preview: string | null;
  readonly state: 'uploading' | 'ready' | 'refused';
  /** 0 to 1. */
  readonly progress: number;
  /** The server's, once it is there. */
  readonly id: string | null;
  /** Why it was refused, in words. */
  readonly reason: string | null;
}

/** As many as one reply may hold. */
export const mostFiles = 10;

type Rules = Channel['sending']['files'];

function takes(pattern: string, contentType: string): boolean {
  const [type, subtype] = pattern.split('/');
  const [ofType, ofSubtype] = contentType.split('/');
  return (type === '*' || type === ofType) && (subtype === '*' || subtype === ofSubtype);
}

/** Which kind of file it would be sent as, and why it cannot be sent; the server checks again, by the bytes. */
export function judgeFile(
  file: { readonly name: string; readonly size: number; readonly type: string },
  rules: Rules,
  provider: string,
): { readonly kind: Attachment['kind']; readonly reason: string | null } {
  const contentType = file.type === '' ? 'application/octet-stream' : file.type;
  const start = contentType.split('/')[0];
  const usual = start === 'image' || start === 'video' || start === 'audio' ? start : 'file';
  if (!rules) return { kind: usual, reason: t('composer.noFiles', { channel: provider }) };
  if (file.size === 0) return { kind: usual, reason: t('composer.fileEmpty', { file: file.name }) };
  const fitting = rules.filter(({ types }) => types.some((pattern) => takes(pattern, contentType)));
  const rule = fitting.find(({ kind }) => kind === usual) ?? fitting.find(({ kind }) => kind !== 'sticker');
  // What the browser does not know by name, the server knows by its bytes.
  if (!rule)
    return {
      kind: usual,
      reason: file.type === '' ? null : t('composer.fileKind', { file: file.name, channel: provider }),
    };
  if (file.size <= rule.maxBytes) return { kind: rule.kind, reason: null };
  const max = fileSize(rule.maxBytes);
  return {
    kind: rule.kind,
    reason: t('composer.fileRefused', { file: file.name, size: fileSize(file.size), channel: provider, max }),
  };
}
