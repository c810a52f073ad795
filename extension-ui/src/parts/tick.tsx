// What became of a message of ours: a mark with its word for who cannot see it.
import type { MessageStatus } from '../../../src/web/contract.ts';
import { t } from '../texts.ts';
import { Icon, type IconName } from './icon.tsx';

const icons: Readonly<Record<MessageStatus, IconName | null>> = {
  received: null,
  queued: 'clock',
  sent: 'check',
  delivered: 'check-check',
  read: 'check-check',
  failed: 'circle-alert',
  unknown: 'circle-question-mark',
};

export function statusWord(status: MessageStatus): string {
  return status === 'received'
    ? ''
    : t(`status.${status === 'queued' ? 'sending' : status === 'unknown' ? 'checking' : status}`);
}

export function Tick({ status }: { status: MessageStatus }) {
  const icon = icons[status];
  if (!icon) return null;
  return (
    <span class={`tick ${status}`} title={statusWord(status)}>
      <Icon name={icon} size={14} />
      <span class="sr-only">{statusWord(status)}</span>
    </span>
  );
}
