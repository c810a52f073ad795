// In the place of a conversation that cannot be shown: whose it is and a way to ask for it, or that it is not there (U4, N5).
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { PrivateChannel } from '../../../src/web/contract.ts';
import { Empty } from '../parts/empty.tsx';
import { Icon } from '../parts/icon.tsx';
import { firstName } from '../parts/row.tsx';
import type { Absent } from '../state.ts';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';

export interface AbsentConversationProps {
  readonly store: Store;
  readonly absent: Absent;
  /** Stands above, where a conversation has its header. */
  readonly head?: ComponentChildren;
  /** To where there are others, if this surface has a list. */
  readonly onBack?: () => void;
}

export function AbsentConversation({ store, absent, head, onBack }: AbsentConversationProps) {
  const title = t(absent.private ? 'empty.noRight.title' : 'empty.gone.title');
  return (
    // Where it is low it scrolls, by key too.
    <section class="thread-pane none absent" aria-label={title} tabIndex={0}>
      {head}
      {absent.private ? (
        <Empty icon="lock" title={title} body={t('empty.noRight', { name: absent.private.owner.name })}>
          <AskToShare key={absent.private.channelId} store={store} channel={absent.private} />
        </Empty>
      ) : (
        <Empty icon="search-x" title={title} body={t('empty.gone.body')}>
          {onBack && (
            <button type="button" class="button" onClick={onBack}>
              {t('empty.gone.back')}
            </button>
          )}
        </Empty>
      )}
    </section>
  );
}

/** One click, one wish; what became of it stands where the button was. */
function AskToShare({ store, channel }: { store: Store; channel: PrivateChannel }) {
  const [asking, setAsking] = useState(false);
  const [asked, setAsked] = useState('');
  const answer = useRef<HTMLDivElement>(null);
  // The button is gone: whoever pressed it by key goes on from here.
  useEffect(() => {
    if (asked !== '') answer.current?.focus();
  }, [asked]);
  const ask = async (): Promise<void> => {
    if (asking) return;
    setAsking(true);
    await store.actions.askOwner(channel.channelId, 'share', setAsked);
    setAsking(false);
  };
  return (
    <>
      {asked === '' && (
        <button type="button" class="button" onClick={() => void ask()}>
          {t('settings.ask', { name: firstName(channel.owner.name) })}
        </button>
      )}
      <div ref={answer} class="asked" role="status" tabIndex={-1}>
        {asked !== '' && (
          <>
            <b>
              <Icon name="circle-check" size={16} />
              {asked}
            </b>
            <p>{t('empty.noRight.waiting')}</p>
          </>
        )}
      </div>
    </>
  );
}
