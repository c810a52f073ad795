// Searches what is in Pipedrive: persons, leads and deals, or only what is of one type.
import { useEffect, useState } from 'preact/hooks';
import type { PipedriveRecord, RecordType } from '../../../src/web/contract.ts';
import { Icon, recordIcon } from '../parts/icon.tsx';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';

const waitMs = 250;

export function RecordSearch({
  store,
  type,
  onPick,
  picked,
}: {
  store: Store;
  type?: RecordType;
  onPick: (record: PipedriveRecord) => void;
  picked: PipedriveRecord | null;
}) {
  const [term, setTerm] = useState('');
  const [found, setFound] = useState<PipedriveRecord[]>([]);
  useEffect(() => {
    if (term.trim().length < 2) return setFound([]);
    let current = true;
    const timer = setTimeout(() => {
      const types = type ? [type] : (['person', 'lead', 'deal'] as const);
      void Promise.allSettled(types.map((one) => store.api.searchRecords(one, term.trim()))).then((answers) => {
        if (current)
          setFound(answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value.data.slice(0, 5) : [])));
      });
    }, waitMs);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [term, store, type]);
  return (
    <div class="record-search">
      <span class="search-field">
        <Icon name="search" size={16} />
        <input
          type="search"
          value={term}
          placeholder={t('link.search')}
          aria-label={t('link.search')}
          onInput={(event) => setTerm(event.currentTarget.value)}
          onKeyDown={(event) => event.key === 'Enter' && event.preventDefault()}
        />
      </span>
      {found.length > 0 && (
        <ul class="found" aria-label={t('link.found')}>
          {found.map((record) => (
            <li key={`${record.type} ${record.recordId}`}>
              <button
                type="button"
                onClick={() => {
                  onPick(record);
                  setTerm('');
                }}
              >
                <Icon name={recordIcon(record.type)} size={16} />
                <span class="two-lines">
                  <span>{record.title}</span>
                  {record.subtitle && <small>{record.subtitle}</small>}
                </span>
              </button>
            </li>
          ))}
        </ul>
      )}
      {picked && (
        <p class="offer">
          <Icon name={recordIcon(picked.type)} size={16} />
          <span>{t('link.picked', { title: picked.title })}</span>
        </p>
      )}
    </div>
  );
}
