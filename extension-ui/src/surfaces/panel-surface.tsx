// What the panel shows, by its height.
import { useEffect, useState } from 'preact/hooks';
import type { RecordType } from '../../../src/web/contract.ts';
import type { Host } from '../host.ts';
import { Empty, RowsSkeleton } from '../parts/empty.tsx';
import { Icon } from '../parts/icon.tsx';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';
import { useSize, useStore } from '../use-store.ts';
import { ThreadPane } from './thread-pane.tsx';

export function PanelSurface({
  store,
  host,
  resource,
  recordId,
}: {
  store: Store;
  host: Host | null;
  resource: string;
  recordId: string;
}) {
  const [root, setRoot] = useState<HTMLDivElement | null>(null);
  const size = useSize(root);
  const [ids, setIds] = useState<string[] | null>(null);
  const conversation = useStore(store, (state) =>
    state.selected ? state.conversations.get(state.selected) : undefined,
  );
  useEffect(() => {
    const type: RecordType | null = resource === 'person' || resource === 'deal' ? resource : null;
    if (!type) return setIds([]);
    void store.api
      .conversations({ recordType: type, recordId })
      .then(({ data }) => {
        setIds(data.map(({ id }) => id));
        const [newest] = data;
        if (newest) store.actions.select(newest.id);
      })
      .catch((error: unknown) => {
        setIds([]);
        store.actions.explain(error);
      });
  }, [store, resource, recordId]);
  return (
    <div ref={setRoot} class={`surface panel one-pane${size.height < 320 ? ' low' : ''}`}>
      <h1 class="sr-only">{t('app.name')}</h1>
      {ids === null ? (
        <RowsSkeleton />
      ) : conversation ? (
        <ThreadPane
          store={store}
          conversation={conversation}
          host={host}
          size={{ width: size.width, height: Math.min(size.height, 500) }}
          onePane={false}
          onBack={() => undefined}
          onContext={null}
          onLink={() => host?.showWindow({ conversationId: conversation.id })}
        />
      ) : (
        <Empty icon="message-square" title={t('panel.none.title')} body={t('panel.none.body')}>
          <button type="button" class="button" onClick={() => host?.showWindow({})}>
            <Icon name="link" size={16} />
            {t('panel.none.action')}
          </button>
        </Empty>
      )}
    </div>
  );
}
