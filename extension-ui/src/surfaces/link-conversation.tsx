// The other way round: somebody stands on a record and looks for the conversation that belongs to it.
import { useEffect, useState } from 'preact/hooks';
import type { Conversation, RecordType } from '../../../src/web/contract.ts';
import { ApiError } from '../api.ts';
import { Avatar, providerName } from '../parts/avatar.tsx';
import { RowsSkeleton } from '../parts/empty.tsx';
import { Icon } from '../parts/icon.tsx';
import { Problem } from '../parts/problem.tsx';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';
import { listTime } from '../time.ts';
import { useNow } from '../use-store.ts';

const waitMs = 250;
const most = 20;

export interface LinkConversationProps {
  readonly store: Store;
  readonly type: RecordType;
  readonly recordId: string;
  readonly onDone: (conversationId: string) => void;
}

export function LinkConversation({ store, type, recordId, onDone }: LinkConversationProps) {
  const now = useNow(store.get().clockOffset);
  const [term, setTerm] = useState('');
  const [found, setFound] = useState<Conversation[] | null>(null);
  const [busy, setBusy] = useState<string | null>(null);
  const [problem, setProblem] = useState('');
  useEffect(() => {
    let current = true;
    const look = async (): Promise<void> => {
      try {
        const { data } = await store.api.conversations({ section: 'all', q: term.trim() || undefined, limit: most });
        if (current) setFound(unlinkedFirst(data, type, recordId));
      } catch (error) {
        if (current) setProblem(error instanceof ApiError ? error.message : t('net.noAnswer'));
      }
    };
    const timer = setTimeout(() => void look(), term === '' ? 0 : waitMs);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [store, term, type, recordId]);
  const link = async (id: string): Promise<void> => {
    if (busy) return;
    setBusy(id);
    setProblem('');
    try {
      await store.api.link(id, { type, recordId });
      onDone(id);
    } catch (error) {
      setProblem(error instanceof ApiError ? error.message : t('net.noAnswer'));
    } finally {
      setBusy(null);
    }
  };
  return (
    <div class="link-conversation">
      <span class="search-field">
        <Icon name="search" size={16} />
        <input
          type="search"
          value={term}
          placeholder={t('panel.search')}
          aria-label={t('panel.search')}
          onInput={(event) => setTerm(event.currentTarget.value)}
        />
      </span>
      {problem && <Problem>{problem}</Problem>}
      {found === null && !problem && <RowsSkeleton />}
      {found?.length === 0 && <p class="small">{t('panel.search.none')}</p>}
      {found && found.length > 0 && (
        <ul aria-label={t('panel.search.found')}>
          {found.map((conversation) => (
            <li key={conversation.id}>
              <button type="button" aria-busy={busy === conversation.id} onClick={() => void link(conversation.id)}>
                <Avatar
                  id={conversation.contact.id}
                  name={conversation.contact.name}
                  url={conversation.contact.avatarUrl}
                  size={28}
                  provider={conversation.channel.provider}
                />
                <span class="two-lines">
                  <span dir="auto">
                    {conversation.contact.name}
                    <span class="sr-only">, {providerName(conversation.channel.provider)}</span>
                  </span>
                  <small dir="auto">{conversation.lastMessage?.preview ?? ''}</small>
                </span>
                <small class="right">
                  {conversation.lastMessage && listTime(conversation.lastMessage.createdAt, now)}
                </small>
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** Without those that are linked here; who belongs nowhere yet comes first, else as they came. */
function unlinkedFirst(all: readonly Conversation[], type: RecordType, recordId: string): Conversation[] {
  const others = all.filter(({ links }) => !links.some((link) => link.type === type && link.recordId === recordId));
  return [...others.filter(({ links }) => links.length === 0), ...others.filter(({ links }) => links.length > 0)];
}
