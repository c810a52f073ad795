// "Links and history": person, deals and leads, notes, who did what. A drawer, or the third pane of the full page.
import { useEffect, useState } from 'preact/hooks';
import type { Conversation, Link } from '../../../src/web/contract.ts';
import type { Host } from '../host.ts';
import { Avatar } from '../parts/avatar.tsx';
import { Icon } from '../parts/icon.tsx';
import { Menu } from '../parts/menu.tsx';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';
import { clockTime, listTime, money } from '../time.ts';
import { useNow, useStore } from '../use-store.ts';
import { eventWords } from './event-words.ts';
import { brokenWords, linkMenu } from './link-menu.ts';
import { HistoryMark } from './links-strip.tsx';
import { RecordSearch } from './record-search.tsx';

export interface ContextProps {
  readonly store: Store;
  readonly conversation: Conversation;
  readonly host: Host | null;
  readonly onLink: () => void;
}

export function Context({ store, conversation, host, onLink }: ContextProps) {
  const timeline = useStore(store, (state) => state.threads.get(conversation.id)?.timeline);
  const now = useNow(store.get().clockOffset);
  const person = conversation.links.find(({ type }) => type === 'person');
  const records = conversation.links.filter(({ type }) => type !== 'person');
  useEffect(
    () => store.actions.refreshTimeline(conversation.id),
    [store, conversation.id, conversation.updatedAt, conversation.historyComplete, conversation.links.length],
  );
  return (
    <div class="context">
      <section>
        <h3>{t('drawer.person')}</h3>
        {person ? (
          <PersonCard store={store} conversation={conversation} link={person} host={host} />
        ) : (
          <button type="button" class="button wide" onClick={onLink}>
            <Icon name="user-plus" size={16} />
            {t('drawer.linkPerson')}
          </button>
        )}
      </section>
      <section>
        <div class="section-head">
          <h3>
            {t('drawer.deals')} {records.length > 0 && <small>{records.length}</small>}
          </h3>
          <button type="button" class="link-button" onClick={onLink}>
            <Icon name="plus" size={14} />
            {t('drawer.linkOrCreate')}
          </button>
        </div>
        {records.map((link) => (
          <RecordCard key={link.id} store={store} conversation={conversation} link={link} host={host} />
        ))}
      </section>
      {conversation.links.length > 0 && (
        <section>
          <div class="section-head">
            <h3>{t('drawer.notes')}</h3>
            <HistoryMark conversation={conversation} store={store} />
          </div>
          <p class="small">{noteWords(conversation.links)}</p>
        </section>
      )}
      <section>
        <h3>{t('drawer.timeline')}</h3>
        <ol class="timeline">
          {(timeline ?? []).map((entry) => {
            const { icon, words } = eventWords(entry);
            return (
              <li key={entry.id}>
                <span class="disc">
                  <Icon name={icon} size={13} />
                </span>
                <span class="what">{words}</span>
                <time dateTime={entry.createdAt}>{listTime(entry.createdAt, now)}</time>
              </li>
            );
          })}
        </ol>
      </section>
      {host && (
        <section class="context-foot">
          <button
            type="button"
            class="button"
            onClick={() =>
              host.followUp(
                t('drawer.followUpSubject', { name: conversation.contact.name }),
                records.find(({ type }) => type === 'deal')?.recordId ?? null,
              )
            }
          >
            <Icon name="calendar-plus" size={16} />
            {t('drawer.followUp')}
          </button>
        </section>
      )}
    </div>
  );
}

function noteWords(links: readonly Link[]): string {
  const facts = links.map(({ notes }) => notes).filter((notes) => notes !== null);
  const count = facts.reduce((sum, notes) => sum + notes.count, 0);
  if (count === 0) return t('drawer.noNotes');
  const messages = Math.max(...facts.map((notes) => notes.messages));
  const until = facts
    .map((notes) => notes.openUntil)
    .filter((time) => time !== null)
    .sort()
    .at(-1);
  const held = `${t('drawer.noteCount', { n: count })} ${t('drawer.noteMessages', { n: messages })}`;
  return until ? `${held} ${t('drawer.noteUntil', { time: clockTime(until) })}` : held;
}

function PersonCard({
  store,
  conversation,
  link,
  host,
}: {
  store: Store;
  conversation: Conversation;
  link: Link;
  host: Host | null;
}) {
  const facts = [link.details?.phone, link.details?.email, link.details?.organization].filter(Boolean);
  return (
    <div class={`record-card${link.state === 'broken' ? ' broken' : ''}`}>
      <Avatar id={conversation.contact.id} name={link.title} size={40} />
      <span class="record-text">
        <b>{link.title}</b>
        {link.state === 'broken' ? (
          <Broken store={store} conversation={conversation} link={link} />
        ) : (
          <>
            <small>{facts.join(' · ')}</small>
            <OpenRecord link={link} host={host} />
          </>
        )}
      </span>
      <button
        type="button"
        class="icon-button"
        aria-label={t('link.unlinkOf', { title: link.title })}
        title={t('link.unlink')}
        onClick={() => void store.actions.unlink(conversation.id, link)}
      >
        <Icon name="unlink" size={16} />
      </button>
    </div>
  );
}

/** What happened to the record, and the ways to mend the link: look again, or another record of its kind. */
function Broken({ store, conversation, link }: { store: Store; conversation: Conversation; link: Link }) {
  const [choosing, setChoosing] = useState(false);
  const [busy, setBusy] = useState(false);
  const mend = async (recordId?: string): Promise<void> => {
    if (busy) return;
    setBusy(true);
    try {
      await store.api.mendLink(conversation.id, link.id, recordId);
      store.actions.refresh(conversation.id);
      store.actions.toast(t('link.mended'));
    } catch (error) {
      store.actions.explain(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <small class="bad">{brokenWords(link)}</small>
      <span class="record-line">
        <button type="button" class="link-button" disabled={busy} onClick={() => void mend()}>
          {t('link.lookAgain')}
        </button>
        <button type="button" class="link-button" aria-expanded={choosing} onClick={() => setChoosing(!choosing)}>
          {t('link.chooseOther')}
        </button>
      </span>
      {choosing && (
        <RecordSearch store={store} type={link.type} picked={null} onPick={(record) => void mend(record.recordId)} />
      )}
    </>
  );
}

function OpenRecord({ link, host }: { link: Link; host: Host | null }) {
  return host ? (
    <button type="button" class="link-button" onClick={() => host.openRecord(link.type, link.recordId)}>
      {t('link.open')}
    </button>
  ) : (
    <a href={link.url} target="_blank" rel="noreferrer noopener">
      {t('link.open')}
    </a>
  );
}

function RecordCard({
  store,
  conversation,
  link,
  host,
}: {
  store: Store;
  conversation: Conversation;
  link: Link;
  host: Host | null;
}) {
  const { details } = link;
  const facts = [
    details?.value ? money(details.value, details.currency) : null,
    details?.stage,
    details?.ownerName,
    link.type === 'lead' ? t(link.reason === 'archived' ? 'link.leadArchived' : 'link.lead') : null,
  ].filter(Boolean);
  return (
    <div class={`record-card column${link.state === 'broken' ? ' broken' : ''}`}>
      <span class="record-line">
        <b>{link.title}</b>
        <Menu
          label={t('link.more', { title: link.title })}
          button={<Icon name="ellipsis" size={16} />}
          items={linkMenu(store, conversation, link, host)}
        />
      </span>
      {link.state === 'broken' ? (
        <Broken store={store} conversation={conversation} link={link} />
      ) : (
        <small>{facts.join(' · ')}</small>
      )}
      {details && details.stageCount !== null && details.stageIndex !== null && (
        <span class="stages" aria-hidden="true">
          {Array.from({ length: details.stageCount }, (_, index) => (
            <i key={index} class={index <= details.stageIndex! ? 'done' : ''} />
          ))}
        </span>
      )}
    </div>
  );
}
