// Who sees a channel: everybody with the app, or its owner alone.
import { t } from '../texts.ts';
import { Icon } from './icon.tsx';

export function VisibilityChoice({
  value,
  onChange,
}: {
  value: 'shared' | 'private';
  onChange: (value: 'shared' | 'private') => void;
}) {
  return (
    <fieldset>
      <legend>{t('visibility.question')}</legend>
      {(['shared', 'private'] as const).map((choice) => (
        <label key={choice} class="radio-card slim">
          <input type="radio" name="visibility" checked={value === choice} onChange={() => onChange(choice)} />
          <Icon name={choice === 'shared' ? 'users' : 'lock'} size={16} />
          <span class="two-lines">
            <b>{t(`visibility.${choice}`)}</b>
            <small>{t(`visibility.${choice}.body`)}</small>
          </span>
        </label>
      ))}
    </fieldset>
  );
}
