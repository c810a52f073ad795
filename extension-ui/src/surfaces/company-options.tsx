// What holds for the whole company. Everybody may read it, admins change it (A7).
import { useEffect, useId, useState } from 'preact/hooks';
import type { Settings } from '../../../src/web/contract.ts';
import { Question } from '../parts/question.tsx';
import { Switch } from '../parts/switch.tsx';
import type { Store } from '../store.ts';
import { locale, t } from '../texts.ts';
import { useStore } from '../use-store.ts';

const switches = ['returnToUnassignedWhenAway', 'autoLinkExactMatch', 'autoCreateLead', 'mailContent'] as const;
/** Offered; any other number of days that is set is shown too. */
const retentionDays = [90, 180, 365, 730, 1_095, 2_555];

export function CompanyOptions({ store }: { store: Store }) {
  const isAdmin = useStore(store, (state) => state.me.user.isAdmin);
  const [settings, setSettings] = useState<Settings>(store.get().me.settings);
  const [asking, setAsking] = useState<number | null>(null);
  useEffect(() => void store.api.settings().then(setSettings, store.actions.explain), [store]);
  const change = (patch: Partial<Settings>): void => {
    const before = settings;
    setSettings({ ...settings, ...patch });
    void store.api
      .changeSettings(patch)
      .then(setSettings)
      .catch((error: unknown) => {
        setSettings(before);
        store.actions.explain(error);
      });
  };
  /** Shorter than before erases: that is asked first. */
  const keepFor = (days: number | null): void => {
    if (days !== null && days < (settings.retentionDays ?? Infinity)) setAsking(days);
    else change({ retentionDays: days });
  };
  return (
    <section class="settings-group" aria-label={t('settings.company')}>
      <h2>{t('settings.company')}</h2>
      {!isAdmin && <p class="small">{t('settings.company.readOnly')}</p>}
      <div class="card rows-card">
        {switches.map((name) => (
          <div key={name} class="option">
            <span class="two-lines">
              <span>{t(`settings.${name}`)}</span>
              <small id={`option-${name}`}>{t(`settings.${name}.body`)}</small>
            </span>
            <Switch
              checked={settings[name]}
              label={t(`settings.${name}`)}
              hideLabel
              describedBy={`option-${name}`}
              disabled={!isAdmin}
              onChange={(on) => change({ [name]: on })}
            />
          </div>
        ))}
        <Choice
          name="visibility"
          value={settings.defaultVisibility}
          disabled={!isAdmin}
          choices={(['shared', 'private'] as const).map((one) => [one, t(`visibility.${one}`)])}
          onChange={(value) => change({ defaultVisibility: value === 'private' ? 'private' : 'shared' })}
        />
        <Choice
          name="retention"
          value={String(settings.retentionDays ?? '')}
          disabled={!isAdmin}
          choices={retentionChoices(settings.retentionDays)}
          onChange={(value) => keepFor(value === '' ? null : Number(value))}
        />
        <Choice
          name="language"
          value={settings.language}
          disabled={!isAdmin}
          choices={[
            ['en', 'English'],
            ['sv', 'Svenska'],
          ]}
          onChange={(value) => change({ language: value === 'sv' ? 'sv' : 'en' })}
        />
        <Choice
          name="timeZone"
          value={settings.timeZone}
          disabled={!isAdmin}
          choices={timeZones(settings.timeZone).map((zone) => [zone, zone.replaceAll('_', ' ')])}
          onChange={(timeZone) => change({ timeZone })}
        />
      </div>
      {asking !== null && (
        <RetentionQuestion
          days={asking}
          onKeep={() => setAsking(null)}
          onErase={() => {
            setAsking(null);
            change({ retentionDays: asking });
          }}
        />
      )}
    </section>
  );
}

function Choice({
  name,
  value,
  choices,
  disabled,
  onChange,
}: {
  name: string;
  value: string;
  choices: readonly (readonly [value: string, words: string])[];
  disabled: boolean;
  onChange: (value: string) => void;
}) {
  const hint = useId();
  return (
    <label class="option">
      <span class="two-lines">
        <span>{t(`settings.${name}`)}</span>
        <small id={hint}>{t(`settings.${name}.body`)}</small>
      </span>
      <select
        value={value}
        disabled={disabled}
        aria-label={t(`settings.${name}`)}
        aria-describedby={hint}
        onChange={(event) => {
          onChange(event.currentTarget.value);
          // What is asked first, or refused, is not chosen yet.
          event.currentTarget.value = value;
        }}
      >
        {choices.map(([choice, words]) => (
          <option key={choice} value={choice}>
            {words}
          </option>
        ))}
      </select>
    </label>
  );
}

function RetentionQuestion({ days, onKeep, onErase }: { days: number; onKeep: () => void; onErase: () => void }) {
  return (
    <Question
      title={t('settings.retention.ask', { period: periodOf(days) })}
      keep={t('cancel')}
      act={t('settings.retention.erase')}
      danger
      onKeep={onKeep}
      onAct={onErase}
    >
      <p>{t('settings.retention.ask.body')}</p>
    </Question>
  );
}

function retentionChoices(current: number | null): [string, string][] {
  const days = [...new Set([...retentionDays, ...(current === null ? [] : [current])])].sort(
    (left, right) => left - right,
  );
  return [['', t('settings.retention.forever')], ...days.map((n): [string, string] => [String(n), periodOf(n)])];
}

function periodOf(days: number): string {
  const years = days / 365;
  const unit = Number.isInteger(years) ? 'year' : 'day';
  const words = new Intl.NumberFormat(locale(), { style: 'unit', unit, unitDisplay: 'long' });
  return words.format(unit === 'year' ? years : days);
}

/** All that this browser knows, and the one that is set. */
function timeZones(current: string): string[] {
  return [...new Set([current, 'UTC', ...Intl.supportedValuesOf('timeZone')])].sort();
}
