// Every key there is, and the switches for them.
import { Dialog } from '../parts/dialog.tsx';
import { Switch } from '../parts/switch.tsx';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';
import { useStore } from '../use-store.ts';

const single = [
  ['J / K', 'keys.move'],
  ['R', 'keys.reply'],
  ['E', 'keys.close'],
  ['A', 'keys.assign'],
  ['/', 'keys.search'],
  ['?', 'keys.title'],
] as const;
const always = [
  ['↑ / ↓', 'keys.rows'],
  ['F6', 'keys.panes'],
  ['F8', 'keys.toast'],
  ['Ctrl / ⌘ + Z', 'keys.undo'],
  ['Esc', 'keys.back'],
] as const;

export function KeysDialog({ store, onClose }: { store: Store; onClose: () => void }) {
  const choices = useStore(store, (state) => state.choices);
  const list = (keys: readonly (readonly [string, string])[]) => (
    <dl class="keys">
      {keys.map(([key, words]) => (
        <div key={key}>
          <dt>
            <kbd>{key}</kbd>
          </dt>
          <dd>{t(words)}</dd>
        </div>
      ))}
    </dl>
  );
  return (
    <Dialog kind="settings" title={t('keys.title')} label={t('keys.title')} onClose={onClose}>
      <div class="keys-sheet">
        <section>
          <h3>{t('keys.single')}</h3>
          <Switch
            checked={choices.singleKeys}
            label={t('keys.singleOn')}
            onChange={(singleKeys) => store.actions.choose({ singleKeys })}
          />
          {list(single)}
        </section>
        <section>
          <h3>{t('keys.always')}</h3>
          {list(always)}
        </section>
        <section>
          <h3>{t('keys.writing')}</h3>
          <Switch
            checked={choices.enterSends}
            label={t('keys.enterSends')}
            onChange={(enterSends) => store.actions.choose({ enterSends })}
          />
          <p class="small">{t(choices.enterSends ? 'composer.hint' : 'composer.hintSwapped')}</p>
        </section>
      </div>
    </Dialog>
  );
}
