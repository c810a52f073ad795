// The records a conversation is linked to, as a strip of chips, and whether their notes hold all of it.
import type { Conversation } from '../../../src/web/contract.ts';
import type { Host } from '../host.ts';
import { Icon, recordIcon } from '../parts/icon.tsx';
import { Menu } from '../parts/menu.tsx';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';
import { clockTime } from '../time.ts';
import { useStore } from '../use-store.ts';
import { brokenWords, linkMenu } from './link-menu.ts';

export interface LinksStripProps {
  readonly store: Store;
  readonly conversation: Conversation;
  readonly host: Host | null;
  readonly onContext: (() => void) | null;
  readonly onLink: () => void;
}

export function LinksStrip({ store, conversation, host, onLink, onContext }: LinksStripProps) {
  const { links } = conversation;
  const people = links.filter(({ type }) => type === 'person');
  const records = links.filter(({ type }) => type !== 'person');
  const shown = [...people, ...records].slice(0, 3);
  return (
    <div class="links-strip">
      {shown.map((link) => (
        <Menu
          key={link.id}
          label={link.title}
          align="left"
          buttonClass={`chip ${link.type}${link.state === 'broken' ? ' broken' : ''}`}
          button={
            <>
              <Icon name={link.state === 'broken' ? 'unlink' : recordIcon(link.type)} size={14} />
              <span class="chip-text">{link.title}</span>
            </>
          }
          items={[
            ...(link.state === 'broken' ? [{ key: 'why', label: brokenWords(link), disabled: true }] : []),
            ...linkMenu(store, conversation, link, host),
          ]}
        />
      ))}
      {links.length > 3 && (
        <button type="button" class="chip" onClick={() => onContext?.()}>
          +{links.length - 3}
        </button>
      )}
      <button type="button" class="chip dashed" onClick={onLink}>
        <Icon name="link" size={14} />
        {t('link.button')}
      </button>
      <HistoryMark conversation={conversation} store={store} />
    </div>
  );
}

export function HistoryMark({ conversation, store }: { conversation: Conversation; store: Store }) {
  const budget = useStore(store, (state) => state.me.tokenBudget);
  if (conversation.links.length === 0) return null;
  if (conversation.historyComplete) {
    return (
      <span class="history ok" title={t('history.complete')}>
        <Icon name="clipboard-check" size={14} />
        <span>{t('history.complete')}</span>
      </span>
    );
  }
  if (budget.reason) {
    return (
      <span
        class="history warn"
        title={t('history.waiting', { time: budget.resetsAt ? clockTime(budget.resetsAt) : '' })}
      >
        <Icon name="clock" size={14} />
        <span>{t('history.waits')}</span>
      </span>
    );
  }
  return (
    <span class="history">
      <Icon name="clock" size={14} />
      <span>{t('history.writing')}</span>
    </span>
  );
}
