// Find before create: the people it may be, with the reason; then what it should belong to. One button says what it will do.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Conversation, PipedriveRecord, Pipeline, RecordType, Suggestion } from '../../../src/web/contract.ts';
import { ApiError } from '../api.ts';
import { Avatar, ChannelMark, providerName } from '../parts/avatar.tsx';
import { Icon, recordIcon } from '../parts/icon.tsx';
import { Problem } from '../parts/problem.tsx';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';
import { money } from '../time.ts';
import { useStore } from '../use-store.ts';
import { lacksName, linkRequests, submitKey, type LinkWish, type Who } from './link-wish.ts';
import { RecordSearch } from './record-search.tsx';

export interface LinkFormProps {
  readonly store: Store;
  readonly conversation: Conversation;
  readonly onDone: () => void;
}

export function LinkForm({ store, conversation, onDone }: LinkFormProps) {
  const { api, actions } = store;
  const me = useStore(store, (state) => state.me.user);
  const users = useStore(store, (state) => state.users);
  const linked = conversation.links.find(({ type }) => type === 'person');
  const [suggestions, setSuggestions] = useState<Suggestion[] | null>(linked ? [] : null);
  const [who, setWho] = useState<Who>(linked ? { kind: 'linked', name: linked.title } : { kind: 'new' });
  const [target, setTarget] = useState<RecordType>(linked ? 'deal' : 'person');
  const phone = conversation.contact.identities.find(({ type }) => type === 'phone')?.value ?? '';
  const contactName = withoutMarks(conversation.contact.name);
  const [name, setName] = useState(contactName);
  const [title, setTitle] = useState(`${contactName} – ${providerName(conversation.channel.provider)}`);
  const [value, setValue] = useState('');
  const [ownerId, setOwnerId] = useState(me.id);
  const [pipelines, setPipelines] = useState<Pipeline[]>([]);
  const [pipelineId, setPipelineId] = useState('');
  const [stageId, setStageId] = useState('');
  const [existing, setExisting] = useState<PipedriveRecord | null>(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');
  const [fieldProblem, setFieldProblem] = useState('');
  // One demand, one key: a double click or a second try makes no second record.
  const key = useMemo(() => crypto.randomUUID(), [target, conversation.id]);
  const first = useRef<HTMLInputElement>(null);

  useEffect(() => {
    if (linked) return;
    void api
      .suggestions(conversation.id)
      .then(({ data }) => {
        setSuggestions(data);
        const [best] = data;
        // Chosen beforehand only when the number matches.
        if (best && best.reasonCode !== 'same_name') setWho({ kind: 'found', id: best.recordId, name: best.name });
      })
      .catch((error: unknown) => {
        setSuggestions([]);
        setProblem(error instanceof ApiError ? error.message : t('net.noAnswer'));
      });
  }, [api, conversation.id, linked]);
  useEffect(() => {
    if (target !== 'deal' || pipelines.length > 0) return;
    void api
      .pipelines()
      .then(({ data }) => {
        setPipelines(data);
        setPipelineId(data[0]?.id ?? '');
        setStageId(data[0]?.stages[0]?.id ?? '');
      })
      .catch(() => undefined);
  }, [api, target, pipelines.length]);

  const openDeals =
    who.kind === 'found' ? (suggestions?.find(({ recordId }) => recordId === who.id)?.openDeals ?? []) : [];
  const stages = pipelines.find(({ id }) => id === pipelineId)?.stages ?? [];
  const wish: LinkWish = {
    who,
    target,
    existing,
    name,
    phone,
    title,
    value,
    currency: me.currency,
    ownerId,
    pipelineId,
    stageId,
    key,
  };

  const submit = async (): Promise<void> => {
    if (busy) return;
    if (lacksName(wish)) {
      setFieldProblem(t('link.missing'));
      first.current?.focus();
      return;
    }
    setBusy(true);
    setProblem('');
    setFieldProblem('');
    try {
      for (const request of linkRequests(wish)) {
        const answer = await api.link(conversation.id, request);
        const [failed] = answer.failed ?? [];
        if (failed) {
          setProblem(t('link.partial', { reason: failed.message }));
          actions.refresh(conversation.id);
          return;
        }
      }
      actions.refresh(conversation.id);
      actions.toast(t('toast.linked'));
      onDone();
    } catch (error) {
      setProblem(error instanceof ApiError ? error.message : t('net.noAnswer'));
    } finally {
      setBusy(false);
    }
  };

  return (
    <form
      class="link-form"
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <p class="writes-as">
        <ChannelMark provider={conversation.channel.provider} size={16} />
        {phone ? `${phone} · ` : ''}
        {t('link.writesAs', { name: contactName })}
      </p>
      {!linked && (
        <fieldset>
          <legend>{t('link.question')}</legend>
          {suggestions === null ? (
            <div class="skeleton" aria-hidden="true">
              <i class="card" />
              <i class="card" />
            </div>
          ) : (
            suggestions.map((person) => (
              <label key={person.recordId} class="radio-card">
                <input
                  type="radio"
                  name="who"
                  checked={who.kind === 'found' && who.id === person.recordId}
                  onChange={() => (
                    setWho({ kind: 'found', id: person.recordId, name: person.name }),
                    setExisting(null)
                  )}
                />
                <Avatar id={person.recordId} name={person.name} size={40} />
                <span class="two-lines">
                  <span>
                    <b>{person.name}</b> {person.organization && <small>{person.organization}</small>}
                  </span>
                  <small class={person.reasonCode === 'same_name' ? '' : 'ok'}>
                    <Icon name={person.reasonCode === 'same_name' ? 'user' : 'phone'} size={14} /> {person.reason}
                  </small>
                </span>
                <small class="right">
                  {person.openDeals.length === 0
                    ? t('link.noDeals')
                    : t('link.openDeals', { n: person.openDeals.length })}
                </small>
              </label>
            ))
          )}
          <RecordSearch
            store={store}
            onPick={(record) =>
              record.type === 'person'
                ? (setWho({ kind: 'found', id: record.recordId, name: record.title }), setExisting(null))
                : setExisting(record)
            }
            picked={
              existing ??
              (who.kind === 'found' && !suggestions?.some(({ recordId }) => recordId === who.id)
                ? { type: 'person', recordId: who.id, title: who.name, subtitle: null, personId: who.id }
                : null)
            }
          />
          {!existing && (
            <label class="radio-card slim">
              <input type="radio" name="who" checked={who.kind === 'new'} onChange={() => setWho({ kind: 'new' })} />
              <Icon name="user-plus" size={16} />
              <span>{t('link.none')}</span>
            </label>
          )}
          {who.kind === 'new' && !existing && (
            <label class="field">
              <span>{t('link.name')}</span>
              <input
                ref={first}
                value={name}
                onInput={(event) => setName(event.currentTarget.value)}
                aria-invalid={fieldProblem !== '' && name.trim() === ''}
              />
            </label>
          )}
        </fieldset>
      )}
      {linked && <RecordSearch store={store} onPick={setExisting} picked={existing} />}
      {!existing && (
        <fieldset>
          <div class="section-head">
            <legend>{t('link.belongs')}</legend>
            <span class="segmented" role="radiogroup" aria-label={t('link.belongs')}>
              {(linked ? (['lead', 'deal'] as const) : (['person', 'lead', 'deal'] as const)).map((choice) => (
                <button
                  key={choice}
                  type="button"
                  role="radio"
                  aria-checked={target === choice}
                  class={target === choice ? 'on' : ''}
                  onClick={() => setTarget(choice)}
                >
                  {choice !== 'person' && <Icon name={recordIcon(choice)} size={16} />}
                  {t(`link.target.${choice}`)}
                </button>
              ))}
            </span>
          </div>
          {target === 'deal' &&
            openDeals.map((deal) => (
              <p key={deal.recordId} class="offer">
                <Icon name={recordIcon('deal')} size={16} />
                <span>
                  {t('link.existing', { title: deal.title, name: who.kind === 'found' ? who.name : '' })}
                  {[deal.stage, deal.value ? money(deal.value, deal.currency) : null]
                    .filter(Boolean)
                    .map((fact) => ` · ${fact}`)}
                </span>
                <button
                  type="button"
                  class="button small"
                  onClick={() =>
                    setExisting({
                      type: 'deal',
                      recordId: deal.recordId,
                      title: deal.title,
                      subtitle: null,
                      personId: who.kind === 'found' ? who.id : null,
                    })
                  }
                >
                  {t('link.useDeal')}
                </button>
              </p>
            ))}
          {target !== 'person' && (
            <>
              <label class="field">
                <span>{t(target === 'deal' ? 'link.dealTitle' : 'link.leadTitle')}</span>
                <input
                  value={title}
                  onInput={(event) => setTitle(event.currentTarget.value)}
                  aria-invalid={fieldProblem !== '' && title.trim() === ''}
                />
              </label>
              <div class="fields">
                {target === 'deal' && (
                  <>
                    <label class="field">
                      <span>{t('link.pipeline')}</span>
                      <select
                        value={pipelineId}
                        onChange={(event) => {
                          const chosen = pipelines.find(({ id }) => id === event.currentTarget.value);
                          setPipelineId(chosen?.id ?? '');
                          setStageId(chosen?.stages[0]?.id ?? '');
                        }}
                      >
                        {pipelines.map((pipeline) => (
                          <option key={pipeline.id} value={pipeline.id}>
                            {pipeline.name}
                          </option>
                        ))}
                      </select>
                    </label>
                    <label class="field">
                      <span>{t('link.stage')}</span>
                      <select value={stageId} onChange={(event) => setStageId(event.currentTarget.value)}>
                        {stages.map((stage) => (
                          <option key={stage.id} value={stage.id}>
                            {stage.name}
                          </option>
                        ))}
                      </select>
                    </label>
                  </>
                )}
                {me.currency !== null && (
                  <label class="field">
                    <span>
                      {t('link.value', { currency: me.currency })} <small>{t('optional')}</small>
                    </span>
                    <input
                      inputMode="decimal"
                      value={value}
                      placeholder="0"
                      onInput={(event) => setValue(event.currentTarget.value)}
                    />
                  </label>
                )}
                <label class="field">
                  <span>{t('link.owner')}</span>
                  <select value={ownerId} onChange={(event) => setOwnerId(event.currentTarget.value)}>
                    {users.map((user) => (
                      <option key={user.id} value={user.id}>
                        {user.id === me.id ? t('assign.me', { name: user.name }) : user.name}
                      </option>
                    ))}
                  </select>
                </label>
              </div>
            </>
          )}
        </fieldset>
      )}
      {(problem || fieldProblem) && <Problem>{problem || fieldProblem}</Problem>}
      <footer class="form-foot">
        <small>
          <Icon name="clipboard-check" size={16} />
          {t('link.noteHint')}
        </small>
        <button type="button" class="button" onClick={onDone}>
          {t('cancel')}
        </button>
        <button type="submit" class="button primary" aria-busy={busy}>
          {problem ? t('tryAgain') : t(submitKey(wish))}
        </button>
      </footer>
    </form>
  );
}

/** What in a name could turn the words around it, and would stand in Pipedrive for good. */
function withoutMarks(name: string): string {
  return name.replace(/[\u202a-\u202e\u2066-\u2069]/g, '');
}
