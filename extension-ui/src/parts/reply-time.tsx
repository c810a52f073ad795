// How long a reply is possible: a small dial and words; never colour alone.
import { t } from '../texts.ts';
import type { TimeLeft } from '../time.ts';
import { Icon } from './icon.tsx';
import type { ProviderName } from './avatar.tsx';

export interface ReplyTimeProps {
  readonly left: TimeLeft;
  readonly provider: ProviderName;
  /** `short` in rows, `left` and `full` in headers. */
  readonly form: 'short' | 'left' | 'full';
}

export function ReplyTime({ left, provider, form }: ReplyTimeProps) {
  if (left.urgency === 'over') {
    return (
      <span class="reply-time over">
        <Icon name="lock" size={14} />
        {t(provider === 'whatsapp' ? 'time.templateOnly' : 'time.cantReply')}
      </span>
    );
  }
  const words =
    form === 'short' ? left.words : t(form === 'full' ? 'time.left' : 'time.leftShort', { time: left.words });
  return (
    <span class={`reply-time ${left.urgency}`}>
      <Dial share={left.share} />
      <span aria-hidden="true">{words}</span>
      <span class="sr-only">{t('time.left', { time: left.long })}</span>
    </span>
  );
}

function Dial({ share }: { share: number }) {
  const round = 2 * Math.PI * 5.5;
  const shown = share > 0.9 ? 1 : share;
  return (
    <svg class="dial" width="14" height="14" viewBox="0 0 14 14" aria-hidden="true">
      <circle cx="7" cy="7" r="5.5" fill="none" class="rest" stroke-width="2" />
      <circle
        cx="7"
        cy="7"
        r="5.5"
        fill="none"
        stroke="currentColor"
        stroke-width="2"
        stroke-dasharray={`${shown * round} ${round}`}
        transform="rotate(-90 7 7)"
      />
    </svg>
  );
}
