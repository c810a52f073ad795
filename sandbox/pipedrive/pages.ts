// The pages people see: a plain CRM with records, their notes, and our surfaces in real frames (Custom UI extensions).
import type Router from '@koa/router';
import type { Context } from 'koa';
import { readBody } from '../listen.ts';
import { escapeHtml, page } from './html.ts';
import { archiveLead, convertLead, deleteRecord, mergeRecords } from './fates.ts';
import { changeNote, deactivateNote } from './notes.ts';
import { type Deal, type Lead, type Note, type Person, type State, type User } from './state.ts';

export interface PageOptions {
  clientId: string;
  appUrl: () => string;
  signedToken: (user: User) => string;
}

export function pageRoutes(router: Router, state: State, options: PageOptions): void {
  const shown =
    (
      draw: (
        ctx: Context,
        user: User,
      ) => { title: string; body: string; record?: { type: string; id: number } } | undefined,
    ) =>
    (ctx: Context) => {
      const user = currentUser(state, ctx);
      if (!user) return ctx.redirect('/login');
      const content = draw(ctx, user);
      ctx.type = 'html';
      if (!content) {
        ctx.status = 404;
        ctx.body = frame(
          state,
          options,
          ctx,
          user,
          'Not found',
          '<div class="card"><h1>Not found</h1><p>The record is not there any more.</p></div>',
        );
        return;
      }
      ctx.body = frame(state, options, ctx, user, content.title, content.body, content.record);
    };
  router.get('/login', (ctx) => {
    const id = typeof ctx.query.user === 'string' ? ctx.query.user : '';
    if (state.users.some((user) => String(user.id) === id)) {
      ctx.cookies.set('user', id, { httpOnly: true, overwrite: true });
      return ctx.redirect('/');
    }
    ctx.type = 'html';
    ctx.body = page('Sign in', `<main class="card narrow"><h1>Who are you?</h1>${loginList(state)}</main>`);
  });
  router.get(
    '/',
    shown((_ctx, user) => ({ title: 'Deals', body: dealBoard(state, user) })),
  );
  router.get(
    '/contacts',
    shown((_ctx, user) => ({ title: 'Contacts', body: contactList(state, user) })),
  );
  router.get(
    '/leads/inbox',
    shown((_ctx, user) => ({ title: 'Leads', body: leadList(state, user) })),
  );
  router.get(
    '/leads/messaging',
    shown(() => ({
      title: 'Leads Inbox',
      body: '<section data-leads-inbox></section><script src="/console/leads-inbox.js" type="module"></script>',
    })),
  );
  router.get(
    '/deal/:id',
    shown((ctx, user) => {
      const deal = find(state.deals, user, ctx);
      return deal && { title: deal.title, body: dealPage(state, deal), record: { type: 'deal', id: deal.id } };
    }),
  );
  router.get(
    '/person/:id',
    shown((ctx, user) => {
      const person = find(state.persons, user, ctx);
      return (
        person && { title: person.name, body: personPage(state, person), record: { type: 'person', id: person.id } }
      );
    }),
  );
  router.get(
    '/organization/:id',
    shown((ctx, user) => {
      const found = find(state.organizations, user, ctx);
      return (
        found && {
          title: found.name,
          body: `<div class="card"><h1>${escapeHtml(found.name)}</h1></div>`,
          record: { type: 'organization', id: found.id },
        }
      );
    }),
  );
  router.get(
    '/leads/inbox/:id',
    shown((ctx, user) => {
      const lead = find(state.leads, user, ctx);
      return lead && { title: lead.title, body: leadPage(state, lead) };
    }),
  );
  router.get(
    `/settings/marketplace/app/${options.clientId}/app-settings`,
    shown((_ctx, user) => ({
      title: 'App settings',
      body: `<section class="settings" data-surface="settings" data-user="${user.id}"></section>`,
    })),
  );
  fateRoutes(router, state);
  router.get('/console/frame', (ctx) => {
    const user = currentUser(state, ctx);
    if (!user) return void (ctx.status = 401);
    ctx.body = {
      userId: user.id,
      companyId: user.companyId,
      token: options.signedToken(user),
      appUrl: options.appUrl(),
    };
  });
  router.post('/console/notes/:id', async (ctx) => {
    const user = currentUser(state, ctx);
    const note = state.notes.find((found) => String(found.id) === ctx.params.id && found.companyId === user?.companyId);
    if (!user || !note) return void (ctx.status = 404);
    const form = new URLSearchParams((await readBody(ctx, 200_000)).toString());
    const hand = { userId: user.id, source: 'app' } as const;
    if (form.get('act') === 'delete') deactivateNote(state, note, hand);
    else changeNote(state, note, { ...hand, content: form.get('content') ?? note.content });
    ctx.redirect(form.get('back') ?? '/');
  });
}

/** The buttons on a record's page: what becomes of it. */
function fateRoutes(router: Router, state: State): void {
  router.post('/console/records/:type/:id', async (ctx) => {
    const user = currentUser(state, ctx);
    const { type, id } = ctx.params as { type: string; id: string };
    const mine = <T extends { id: number | string; companyId: number; is_deleted: boolean }>(
      rows: readonly T[],
      key: string,
    ) => rows.find((row) => String(row.id) === key && row.companyId === user?.companyId && !row.is_deleted);
    const form = new URLSearchParams((await readBody(ctx, 20_000)).toString());
    const act = form.get('act');
    const other = form.get('into') ?? '';
    if (type === 'lead') {
      const lead = mine(state.leads, id);
      if (!lead) return void (ctx.status = 404);
      if (act === 'convert') return ctx.redirect(`/deal/${convertLead(state, lead).id}`);
      if (act === 'archive') archiveLead(state, lead, !lead.is_archived);
      if (act === 'delete') deleteRecord(state, 'lead', lead);
      return ctx.redirect('/leads/inbox');
    }
    if (type !== 'person' && type !== 'deal') return void (ctx.status = 404);
    const rows: readonly (Person | Deal)[] = type === 'person' ? state.persons : state.deals;
    const record = mine(rows, id);
    if (!record) return void (ctx.status = 404);
    const into = act === 'merge' ? mine(rows, other) : undefined;
    if (act === 'merge' && (!into || into === record)) return void (ctx.status = 400);
    if (into) mergeRecords(state, type, record, into);
    else if (act === 'delete') deleteRecord(state, type, record);
    ctx.redirect(into ? `/${type}/${into.id}` : type === 'person' ? '/contacts' : '/');
  });
}

function fateButtons(state: State, type: 'person' | 'deal' | 'lead', record: Person | Deal | Lead): string {
  const others =
    type === 'lead'
      ? []
      : (type === 'person' ? state.persons : state.deals).filter(
          (row) => row.companyId === record.companyId && !row.is_deleted && row.id !== record.id,
        );
  const options = others.map(
    (row) => `<option value="${row.id}">${escapeHtml('name' in row ? row.name : row.title)}</option>`,
  );
  const merge =
    options.length > 0
      ? `<label>Merge into <select name="into">${options.join('')}</select></label> <button name="act" value="merge">Merge</button>`
      : '';
  const ofLead =
    type === 'lead'
      ? `<button name="act" value="convert">Convert to deal</button><button name="act" value="archive">${(record as Lead).is_archived ? 'Restore' : 'Archive'}</button>`
      : '';
  return `<details class="card"><summary>More</summary><form method="post" action="/console/records/${type}/${record.id}"><p class="buttons">${merge}${ofLead}<button name="act" value="delete">Delete</button></p></form></details>`;
}

export function currentUser(state: State, ctx: Context): User | undefined {
  const asked = typeof ctx.query.user === 'string' ? ctx.query.user : undefined;
  if (asked) ctx.cookies.set('user', asked, { httpOnly: true, overwrite: true });
  const id = asked ?? ctx.cookies.get('user');
  return state.users.find((user) => String(user.id) === id);
}

function find<T extends { id: number | string; companyId: number; is_deleted: boolean }>(
  rows: readonly T[],
  user: User,
  ctx: Context,
): T | undefined {
  const { id } = (ctx as unknown as { params: Record<string, string> }).params;
  return rows.find((row) => String(row.id) === id && row.companyId === user.companyId && !row.is_deleted);
}

function loginList(state: State): string {
  return state.companies
    .map((company) => {
      const users = state.users.filter((user) => user.companyId === company.id);
      const links = users.map(
        (user) =>
          `<li><a href="/login?user=${user.id}">${escapeHtml(user.name)}</a>${user.admin ? ' <small>admin</small>' : ''}</li>`,
      );
      return `<h2>${escapeHtml(company.name)}</h2><ul class="plain">${links.join('')}</ul>`;
    })
    .join('');
}

function frame(
  state: State,
  options: PageOptions,
  ctx: Context,
  user: User,
  title: string,
  body: string,
  record?: { type: string; id: number },
): string {
  const company = state.companies.find((found) => found.id === user.companyId)!;
  const theme = ctx.cookies.get('theme') === 'dark' ? 'dark' : 'light';
  const installed = state.grants.some((grant) => grant.userId === user.id && grant.companyId === user.companyId);
  const nav = [
    ['/', 'Deals'],
    ['/leads/inbox', 'Leads'],
    ['/leads/messaging', 'Leads Inbox'],
    ['/contacts', 'Contacts'],
    [`/settings/marketplace/app/${options.clientId}/app-settings`, 'App settings'],
  ].map(([href, label]) => `<a href="${href}"${ctx.path === href ? ' aria-current="page"' : ''}>${label}</a>`);
  const panel = record
    ? `<aside class="panel"><h2>Messaging inbox</h2><div data-surface="panel" data-resource="${record.type}" data-id="${record.id}"></div></aside>`
    : '';
  return page(
    `${title} · ${company.name}`,
    `<header class="top"><b class="brand">CRM <small>stand-in</small></b><nav>${nav.join('')}</nav>
    <span class="who">${escapeHtml(user.name)}, ${escapeHtml(company.name)} · <a href="/login">switch</a></span>
    <button id="theme" type="button">${theme === 'dark' ? 'Light' : 'Dark'} theme</button>
    ${installed ? '<button id="dock" type="button" aria-label="Messaging inbox">Messages<span class="badge" hidden></span></button>' : `<a class="button primary" href="${escapeHtml(options.appUrl())}/install">Install the app</a>`}</header>
    <div class="layout${record ? ' with-panel' : ''}">${panel}<main>${body}</main></div>
    ${installed ? '<section id="floating" class="floating" hidden aria-label="Messaging inbox"><header><b>Messaging inbox</b><button type="button" class="close" aria-label="Close the window">×</button></header><div data-surface="window"></div></section>' : ''}
    <div id="host-layer"></div><script src="/console/host.js" type="module"></script>`,
    { theme },
  );
}

function dealBoard(state: State, user: User): string {
  const columns = state.stages.map((stage) => {
    const cards = state.deals
      .filter((deal) => deal.companyId === user.companyId && !deal.is_deleted && deal.stage_id === stage.id)
      .map(
        (deal) =>
          `<a class="deal" href="/deal/${deal.id}"><b>${escapeHtml(deal.title)}</b><small>${money(deal)}</small></a>`,
      );
    return `<section><h2>${escapeHtml(stage.name)} <small>${cards.length}</small></h2>${cards.join('')}</section>`;
  });
  return `<h1>Deals</h1><div class="board">${columns.join('')}</div>`;
}

function money(deal: Deal): string {
  return `${new Intl.NumberFormat('sv-SE').format(deal.value)} ${escapeHtml(deal.currency)}`;
}

function contactList(state: State, user: User): string {
  const rows = state.persons
    .filter((person) => person.companyId === user.companyId && !person.is_deleted)
    .map(
      (person) =>
        `<tr><td><a href="/person/${person.id}">${escapeHtml(person.name)}</a></td><td>${escapeHtml(person.phones[0]?.value ?? '')}</td><td>${escapeHtml(person.emails[0]?.value ?? '')}</td></tr>`,
    );
  return `<h1>Contacts</h1><table class="card"><thead><tr><th>Name</th><th>Phone</th><th>E-mail</th></tr></thead><tbody>${rows.join('')}</tbody></table>`;
}

function leadList(state: State, user: User): string {
  const rows = state.leads
    .filter((lead) => lead.companyId === user.companyId && !lead.is_deleted)
    .map((lead) => `<li><a href="/leads/inbox/${lead.id}">${escapeHtml(lead.title)}</a></li>`);
  return `<h1>Leads</h1><div class="card"><ul class="plain">${rows.join('') || '<li>No leads yet</li>'}</ul></div>`;
}

function owner(state: State, id: number): string {
  return escapeHtml(state.users.find((user) => user.id === id)?.name ?? '');
}

function personLink(state: State, id: number | null): string {
  const person = state.persons.find((found) => found.id === id);
  return person ? `<a href="/person/${person.id}">${escapeHtml(person.name)}</a>` : '–';
}

function dealPage(state: State, deal: Deal): string {
  const stage = state.stages.findIndex(({ id }) => id === deal.stage_id);
  const bar = state.stages.map((_, index) => `<i class="${index <= stage ? 'done' : ''}"></i>`).join('');
  return `<div class="card"><h1>${escapeHtml(deal.title)}</h1><p>${money(deal)} · ${escapeHtml(state.stages[stage]?.name ?? '')}</p><div class="stages">${bar}</div>
    <dl><dt>Person</dt><dd>${personLink(state, deal.person_id)}</dd><dt>Owner</dt><dd>${owner(state, deal.owner_id)}</dd></dl></div>${fateButtons(state, 'deal', deal)}${notes(state, `/deal/${deal.id}`, (note) => note.deal_id === deal.id)}`;
}

function personPage(state: State, person: Person): string {
  const values = (list: Person['phones']): string =>
    list.map(({ value, label }) => `${escapeHtml(value)} <small>${escapeHtml(label)}</small>`).join('<br>') || '–';
  const deals = state.deals
    .filter((deal) => deal.person_id === person.id && !deal.is_deleted)
    .map((deal) => `<li><a href="/deal/${deal.id}">${escapeHtml(deal.title)}</a></li>`);
  return `<div class="card"><h1>${escapeHtml(person.name)}</h1><dl><dt>Phone</dt><dd>${values(person.phones)}</dd><dt>E-mail</dt><dd>${values(person.emails)}</dd>
    <dt>Owner</dt><dd>${owner(state, person.owner_id)}</dd><dt>Deals</dt><dd><ul class="plain">${deals.join('') || '–'}</ul></dd></dl></div>${fateButtons(state, 'person', person)}${notes(state, `/person/${person.id}`, (note) => note.person_id === person.id)}`;
}

function leadPage(state: State, lead: Lead): string {
  return `<div class="card"><h1>${escapeHtml(lead.title)}</h1><dl><dt>Person</dt><dd>${personLink(state, lead.person_id)}</dd><dt>Owner</dt><dd>${owner(state, lead.owner_id)}</dd></dl></div>${fateButtons(state, 'lead', lead)}${notes(state, `/leads/inbox/${lead.id}`, (note) => note.lead_id === lead.id)}`;
}

function notes(state: State, back: string, belongs: (note: Note) => boolean): string {
  const found = state.notes.filter((note) => note.active_flag && belongs(note)).reverse();
  const items = found.map(
    (
      note,
    ) => `<article class="card note" data-note="${note.id}"><header>${owner(state, note.user_id)} · <time>${escapeHtml(note.add_time.replace('T', ' ').slice(0, 16))} UTC</time></header>
      <div class="content">${note.content}</div>
      <details><summary>Edit</summary><form method="post" action="/console/notes/${note.id}"><input type="hidden" name="back" value="${back}">
      <textarea name="content" rows="6" aria-label="Content of the note">${escapeHtml(note.content)}</textarea>
      <p class="buttons"><button name="act" value="save">Save</button><button name="act" value="delete">Delete</button></p></form></details></article>`,
  );
  return `<section class="notes"><h2>Notes <small>${found.length}</small></h2>${items.join('') || '<p class="empty">No notes yet</p>'}</section>`;
}
