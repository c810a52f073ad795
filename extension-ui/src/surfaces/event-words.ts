// What happened to a conversation, as a sentence with its icon.
import type { TimelineEntry } from '../../../src/web/contract.ts';
import type { IconName } from '../parts/icon.tsx';
import { firstName } from '../parts/row.tsx';
import { t } from '../texts.ts';

const icons: Readonly<Record<string, IconName>> = {
  started: 'circle-dot',
  assigned: 'user-check',
  unassigned: 'user',
  closed: 'check',
  opened: 'rotate-ccw',
  reopened: 'rotate-ccw',
  linked: 'link',
  unlinked: 'unlink',
  link_broken: 'unlink',
  link_moved: 'link',
  link_mended: 'link',
  note_written: 'clipboard-check',
  send_failed: 'circle-alert',
};

export function eventWords(entry: TimelineEntry): { icon: IconName; words: string } {
  const { details, by, kind } = entry;
  const own = kind === 'assigned' && details.assigneeId === by.id;
  const isByItself = by.kind === 'app' && (kind === 'linked' || kind === 'unlinked');
  const key = own ? 'event.took' : isByItself ? `event.${kind}.app` : `event.${kind}`;
  const words = t(key, {
    name: firstName(by.name),
    assignee: typeof details.assigneeName === 'string' ? firstName(details.assigneeName) : '',
    title: typeof details.title === 'string' ? details.title : '',
    n: typeof details.messages === 'number' ? details.messages : 0,
  });
  return { icon: icons[kind] ?? 'circle-dot', words };
}
