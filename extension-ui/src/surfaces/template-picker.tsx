// Approved templates, when free words may not be sent or are not wanted: choose, fill in, see what the customer will read.
import { useEffect, useState } from 'preact/hooks';
import type { ComponentChildren } from 'preact';
import type { Conversation, Template } from '../../../src/web/contract.ts';
import { Icon } from '../parts/icon.tsx';
import { firstName } from '../parts/row.tsx';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';
import './template-picker.css';

export interface TemplatePickerProps {
  readonly store: Store;
  readonly conversation: Conversation;
  /** Why nothing else can be sent; null when words could be. */
  readonly why: string | null;
  readonly onBack: (() => void) | null;
  readonly onSent: () => void;
}

export function TemplatePicker({ store, conversation, why, onBack, onSent }: TemplatePickerProps) {
  const { channel } = conversation;
  const [templates, setTemplates] = useState<readonly Template[] | null>(null);
  const [problem, setProblem] = useState('');
  const [query, setQuery] = useState('');
  const [chosen, setChosen] = useState<string | null>(null);
  const [values, setValues] = useState<Readonly<Record<string, string>>>({});
  const load = (): void => {
    setProblem('');
    void store.api
      .templates(channel.id)
      .then(({ data }) => {
        setTemplates(data);
        setChosen((now) => now ?? data[0]?.id ?? null);
      })
      .catch((error: unknown) =>
        setProblem(error instanceof Error && error.message ? error.message : t('net.noAnswer')),
      );
  };
  useEffect(load, [channel.id]);
  const wanted = query.trim().toLocaleLowerCase();
  const found = (templates ?? []).filter(({ name, body }) => `${name}\n${body}`.toLocaleLowerCase().includes(wanted));
  const template = templates?.find(({ id }) => id === chosen);
  const complete = template?.variables.every(({ name }) => (values[name] ?? '').trim() !== '') ?? false;
  const others = template
    ? (templates ?? []).filter(({ name, id }) => name === template.name && id !== template.id)
    : [];
  const send = (): void => {
    if (!template || !complete) return;
    const filled = Object.fromEntries(template.variables.map(({ name }) => [name, (values[name] ?? '').trim()]));
    const text = template.body.replace(gap, (all, name: string) => filled[name] ?? all);
    void store.actions.send(conversation.id, text, false, { id: template.id, variables: filled });
    setValues({});
    onSent();
  };
  return (
    <section class="templates" aria-label={t('template.title')}>
      <header>
        <Icon name={why ? 'lock' : 'layout-template'} size={16} />
        <p>{why ?? t('template.title')}</p>
        {onBack && (
          <button type="button" class="link-button" onClick={onBack}>
            {t('template.back')}
          </button>
        )}
      </header>
      {problem !== '' ? (
        <div class="templates-none" role="alert">
          <p>{problem}</p>
          <button type="button" class="button small" onClick={load}>
            {t('tryAgain')}
          </button>
        </div>
      ) : templates?.length === 0 ? (
        <p class="templates-none">{t('template.none')}</p>
      ) : (
        <div class="templates-body">
          <div class="templates-list">
            <span class="search-field">
              <Icon name="search" size={16} />
              <input
                type="search"
                value={query}
                placeholder={t('template.search')}
                aria-label={t('template.search')}
                onInput={(event) => setQuery(event.currentTarget.value)}
              />
            </span>
            <div class="templates-choices" role="radiogroup" aria-label={t('template.title')} aria-busy={!templates}>
              {found.map((one) => (
                <label key={one.id} class="template-card">
                  <input type="radio" name="template" checked={one.id === chosen} onChange={() => setChosen(one.id)} />
                  <span class="two-lines">
                    <b>{one.name}</b>
                    <small dir="auto">{one.body}</small>
                  </span>
                </label>
              ))}
              {templates && found.length === 0 && <p class="small">{t('template.noMatch')}</p>}
            </div>
          </div>
          {template && (
            <form class="templates-fill" onSubmit={(event) => (event.preventDefault(), send())}>
              {template.variables.length > 0 && (
                <div class="templates-fields">
                  {template.variables.map(({ name, example }) => (
                    <label key={name} class="field">
                      <span>{/^\d+$/.test(name) ? t('template.gap', { n: Number(name) }) : spoken(name)}</span>
                      <input
                        value={values[name] ?? ''}
                        placeholder={example ?? ''}
                        maxLength={1_600}
                        required
                        onInput={(event) => setValues({ ...values, [name]: event.currentTarget.value })}
                      />
                    </label>
                  ))}
                </div>
              )}
              <div>
                <p class="small">{t('template.reads', { name: firstName(conversation.contact.name) })}</p>
                <p class="bubble preview-bubble" dir="auto" aria-live="polite">
                  {preview(template, values)}
                </p>
                {template.buttons.length > 0 && (
                  <p class="template-buttons">
                    {template.buttons.map((button) => (
                      <span key={button}>{button}</span>
                    ))}
                  </p>
                )}
              </div>
              <footer>
                <small>
                  {others.length > 0
                    ? t('template.languages', { languages: others.map(({ language }) => language).join(', ') })
                    : template.language}
                </small>
                <button type="submit" class="button primary" disabled={!complete}>
                  <Icon name="send-horizontal" size={16} />
                  {t('template.send')}
                </button>
              </footer>
            </form>
          )}
        </div>
      )}
    </section>
  );
}

const gap = /\{\{\s*([\w-]+)\s*\}\}/g;

/** The text with what is filled in marked, and what is not as it stands. */
function preview({ body, variables }: Template, values: Readonly<Record<string, string>>): ComponentChildren {
  const parts: ComponentChildren[] = [];
  let at = 0;
  for (const match of body.matchAll(gap)) {
    const [all, name = ''] = match;
    parts.push(body.slice(at, match.index));
    at = match.index + all.length;
    const value = values[name] ?? '';
    const example = variables.find((variable) => variable.name === name)?.example ?? all;
    parts.push(<mark class={value === '' ? 'gap' : ''}>{value === '' ? example : value}</mark>);
  }
  parts.push(body.slice(at));
  return parts;
}

/** `what_it_is_about` as "What it is about". */
function spoken(name: string): string {
  const words = name.replace(/[_-]+/g, ' ').trim();
  return words.charAt(0).toLocaleUpperCase() + words.slice(1);
}
