// Find before create: the people it may be, with the reason; then what it should belong to. One button says what it will do.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Conversation, LinkRequest, PipedriveRecord, Pipeline, Suggestion } from '../../../src/web/contract.ts';
import { ApiError } from '../api.ts';
import { Avatar, ChannelMark, providerName } from '../parts/avatar.tsx';
import { Icon } from '../parts/icon.tsx';
import { Problem } from '../parts/problem.tsx';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';
import { money } from '../time.ts';
import { useStore } from '../use-store.ts';

type Target = 'person' | 'lead' | 'deal';
type Who = { kind: 'found'; id: string; name: string } | { kind: 'new' } | { kind: 'linked'; name: string };

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
  const [target, setTarget] = useState<Target>(linked ? 'deal' : 'person');
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
  const submitWords = t(submitKey(who, target, existing));

  const requests = (): LinkRequest[] => {
    if (existing) {
      const before: LinkRequest[] =
        who.kind === 'found' &&
        existing.type !== 'person' &&
        (existing.personId === null || existing.personId === who.id)
          ? [{ type: 'person', recordId: who.id }]
          : [];
      return [...before, { type: existing.type, recordId: existing.recordId }];
    }
    const newPerson = { name: name.trim(), ownerId, ...(phone ? { phone } : {}) };
    if (target === 'person') {
      return [
        who.kind === 'found'
          ? { type: 'person', recordId: who.id }
          : { type: 'person', create: newPerson, idempotencyKey: key },
      ];
    }
    const amount = Number(value.replace(/[\s\u00a0]/g, '').replace(',', '.'));
    return [
      {
        type: target,
        create: {
          title: title.trim(),
          ownerId,
          ...(who.kind === 'found' ? { person: { id: who.id } } : who.kind === 'new' ? { person: newPerson } : {}),
          ...(target === 'deal' && pipelineId ? { pipelineId, stageId } : {}),
          ...(me.currency !== null && value.trim() !== '' && Number.isFinite(amount)
            ? { value: { amount, currency: me.currency } }
            : {}),
        },
        idempotencyKey: key,
      },
    ];
  };
  const submit = async (): Promise<void> => {
    if (busy) return;
    const missing =
      !existing && ((who.kind === 'new' && name.trim() === '') || (target !== 'person' && title.trim() === ''));
    if (missing) {
      setFieldProblem(t('link.missing'));
      first.current?.focus();
      return;
    }
    setBusy(true);
    setProblem('');
    setFieldProblem('');
    try {
      for (const request of requests()) {
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
                  {choice !== 'person' && <Icon name={choice === 'lead' ? 'inbox' : 'circle-dollar-sign'} size={16} />}
                  {t(`link.target.${choice}`)}
                </button>
              ))}
            </span>
          </div>
          {target === 'deal' &&
            openDeals.map((deal) => (
              <p key={deal.recordId} class="offer">
                <Icon name="circle-dollar-sign" size={16} />
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
          {problem ? t('tryAgain') : submitWords}
        </button>
      </footer>
    </form>
  );
}

/** What in a name could turn the words around it, and would stand in Pipedrive for good. */
function withoutMarks(name: string): string {
  return name.replace(/[\u202a-\u202e\u2066-\u2069]/g, '');
}

function submitKey(who: Who, target: Target, existing: PipedriveRecord | null): string {
  if (existing)
    return existing.type === 'person'
      ? 'link.do.person'
      : existing.type === 'lead'
        ? 'link.do.useLead'
        : 'link.do.useDeal';
  if (target === 'person') return who.kind === 'new' ? 'link.do.newPerson' : 'link.do.person';
  if (who.kind === 'linked') return `link.do.${target}`;
  return who.kind === 'new' ? `link.do.newPerson.${target}` : target === 'deal' ? 'link.submit' : 'link.do.person.lead';
}

const waitMs = 250;

/** Searches what is in Pipedrive: persons, leads and deals, or only what is of one type. */
export function RecordSearch({
  store,
  type,
  onPick,
  picked,
}: {
  store: Store;
  type?: Target;
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
                <Icon
                  name={record.type === 'person' ? 'user' : record.type === 'lead' ? 'inbox' : 'circle-dollar-sign'}
                  size={16}
                />
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
          <Icon
            name={picked.type === 'person' ? 'user' : picked.type === 'lead' ? 'inbox' : 'circle-dollar-sign'}
            size={16}
          />
          <span>{t('link.picked', { title: picked.title })}</span>
        </p>
      )}
    </div>
  );
}
