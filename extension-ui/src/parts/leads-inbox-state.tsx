// How the bridge into Pipedrive's own inbox stands, in words; nothing where no channel has come to it yet.
import type { Me } from '../../../src/web/contract.ts';
import { t } from '../texts.ts';
import { Icon } from './icon.tsx';

const looks = {
  active: { pill: 'ok', icon: 'circle-check' },
  unavailable: { pill: '', icon: 'unlink' },
  blocked: { pill: 'warn', icon: 'triangle-alert' },
  off: { pill: '', icon: 'ban' },
} as const;

export function LeadsInboxState({ state, reason }: Me['bridge']) {
  if (state === 'off' && reason !== 'switched_off') return null;
  const { pill, icon } = looks[state];
  return (
    <section class="card leads-inbox" aria-label={t('bridge.title')}>
      <h2>
        {t('bridge.title')}
        <span class={`pill ${pill}`}>
          <Icon name={icon} size={14} />
          {t(`bridge.state.${state}`)}
        </span>
      </h2>
      <p>{t(`bridge.${reason ?? 'active'}`)}</p>
    </section>
  );
}
