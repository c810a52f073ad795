// What can be done with a link, and what is said of one whose record is gone.
import type { Conversation, Link } from '../../../src/web/contract.ts';
import type { Host } from '../host.ts';
import type { MenuItem } from '../parts/menu.tsx';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';

export function linkMenu(store: Store, conversation: Conversation, link: Link, host: Host | null): MenuItem[] {
  return [
    {
      key: 'open',
      label: t('link.open'),
      icon: 'external-link',
      ...(host ? { onPick: () => host.openRecord(link.type, link.recordId) } : { href: link.url }),
    },
    {
      key: 'unlink',
      label: t('link.unlink'),
      icon: 'unlink',
      onPick: () => void store.actions.unlink(conversation.id, link),
    },
  ];
}

export function brokenWords({ reason, title }: Link): string {
  return t(reason === 'forbidden' || reason === 'merged' ? `link.broken.${reason}` : 'link.broken', { title });
}
