// A local Pipedrive, as strict as the real one: OAuth, records, notes and search, and pages that host our surfaces.
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Router from '@koa/router';
import Koa from 'koa';
import { faultMiddleware, type Faults } from './faults.ts';
import { listen } from './listen.ts';
import { handle, unknownPaths } from './pipedrive/api.ts';
import { dealEndpoints } from './pipedrive/deals.ts';
import { archiveLead, convertLead, deleteRecord, mergeRecords } from './pipedrive/fates.ts';
import { changeNote, deactivateNote, noteEndpoints } from './pipedrive/notes.ts';
import { channelEndpoints, handleChannelCall } from './pipedrive/channels-api.ts';
import { leadEndpoints } from './pipedrive/leads.ts';
import { createLeadsInbox, type LeadsInbox } from './pipedrive/leads-inbox.ts';
import { leadsInboxRoutes } from './pipedrive/leads-inbox-pages.ts';
import { newCode, oauthRoutes } from './pipedrive/oauth.ts';
import { pageRoutes } from './pipedrive/pages.ts';
import { personEndpoints } from './pipedrive/persons.ts';
import {
  createState,
  newId,
  newLeadId,
  timeV2,
  type Company,
  type Deal,
  type Lead,
  type Note,
  type Organization,
  type Person,
  type PipedriveCall,
  type State,
  type User,
} from './pipedrive/state.ts';
import { userEndpoints } from './pipedrive/users.ts';
import { webhookEndpoints } from './pipedrive/webhooks.ts';

export interface PipedriveSandboxOptions {
  port?: number;
  clientId: string;
  clientSecret: string;
  jwtSecret?: string;
  /** The registered callback URL. */
  redirectUri: () => string;
  /** Where our app is. */
  appUrl: () => string;
  faults: Faults;
  now?: () => number;
}

export interface PipedriveSandbox {
  readonly url: string;
  readonly port: number;
  readonly state: State;
  readonly calls: PipedriveCall[];
  /** Leads Inbox → Messaging. Its API is gone until a manifest is uploaded. */
  readonly leadsInbox: LeadsInbox;
  addCompany(company: { name: string; domain?: string; dailyTokens?: number }): Company;
  addUser(
    company: Company,
    user: {
      name: string;
      email?: string;
      admin?: boolean;
      language?: string;
      timeZone?: string;
      currency?: string;
    },
  ): User;
  addPerson(company: Company, person: { name: string; phone?: string; email?: string; owner?: User }): Person;
  addDeal(
    company: Company,
    deal: { title: string; person?: Person; value?: number; currency?: string; stage?: number; owner?: User },
  ): Deal;
  addOrganization(company: Company, organization: { name: string; of: readonly (Person | Deal)[] }): Organization;
  addLead(company: Company, lead: { title: string; person: Person; owner?: User }): Lead;
  notesOf(type: 'person' | 'deal' | 'lead', recordId: number | string): Note[];
  /** A human's edit and deletion. */
  editNote(note: Note, content: string, user: User): void;
  deleteNote(note: Note, user: User): void;
  /** Pins it to its record: its time of change moves, its content does not. */
  pinNote(note: Note, user: User): void;
  /** Comments on it: the same. */
  commentNote(note: Note, comment: string, user: User): void;
  /** What people do to records; notes move along, and subscribers hear of it. */
  deleteRecord(record: Person | Deal | Lead): void;
  mergePersons(gone: Person, into: Person): void;
  mergeDeals(gone: Deal, into: Deal): void;
  convertLead(lead: Lead): Deal;
  archiveLead(lead: Lead, archived?: boolean): void;
  /** Waits for webhooks that are on their way. */
  settled(): Promise<void>;
  /** What a browser would be sent to once the user has consented. */
  authorize(user: User, authorizeUrl: string): string;
  /** The iframe's JWT. */
  signedToken(user: User, claims?: Record<string, unknown>): string;
  /** Tells the app that a user uninstalled it; answers the app's status. */
  uninstall(user: User, authorization?: string): Promise<number>;
  revokeTokens(user: User): void;
  expireAccessTokens(): void;
  tokensSpent(company: Company): number;
  stop(): Promise<void>;
}

export async function startPipedrive(options: PipedriveSandboxOptions): Promise<PipedriveSandbox> {
  const state = createState(options.now ?? Date.now);
  let ownUrl = '';
  const signedToken = (user: User, claims: Record<string, unknown> = {}): string =>
    signJwt(options, state, user, claims);
  const router = new Router();
  oauthRoutes(router, state, { ...options, ownUrl: () => ownUrl });
  const endpoints = [
    ...userEndpoints(state),
    ...personEndpoints(state),
    ...dealEndpoints(state),
    ...leadEndpoints(state),
    ...noteEndpoints(state),
    ...webhookEndpoints(state),
  ];
  for (const endpoint of endpoints) {
    const method = endpoint.method.toLowerCase() as 'get' | 'post' | 'put' | 'patch' | 'delete';
    router[method](endpoint.path, handle(state, endpoint));
    // The older prefix of v1.
    if (endpoint.path.startsWith('/api/v1/'))
      router[method](endpoint.path.replace('/api', ''), handle(state, endpoint));
  }
  const leadsInbox = createLeadsInbox(state, options);
  for (const endpoint of channelEndpoints(state, leadsInbox, options.clientId)) {
    const method = endpoint.method.toLowerCase() as 'post' | 'delete';
    const handler = handleChannelCall(state, leadsInbox, endpoint);
    router[method](endpoint.path, handler);
    router[method](endpoint.path.replace('/api', ''), handler);
  }
  leadsInboxRoutes(router, state, leadsInbox);
  pageRoutes(router, state, { clientId: options.clientId, appUrl: options.appUrl, signedToken });
  for (const [file, type] of [
    ['crm.css', 'text/css'],
    ['host.js', 'text/javascript'],
    ['leads-inbox.js', 'text/javascript'],
  ] as const) {
    router.get(`/console/${file}`, (ctx) => {
      ctx.type = type;
      ctx.body = readFileSync(join(import.meta.dirname, 'console', file));
    });
  }
  const app = new Koa();
  app.silent = true;
  app.use(faultMiddleware(options.faults, 'pipedrive'));
  app.use(unknownPaths);
  app.use(router.routes());
  app.use(router.allowedMethods());
  const listening = await listen(app, options.port);
  ownUrl = listening.url;
  return {
    url: listening.url,
    port: listening.port,
    state,
    calls: state.calls,
    leadsInbox,
    ...verbs(state, options),
    signedToken,
    stop: listening.stop,
  };
}

function signJwt(options: PipedriveSandboxOptions, state: State, user: User, claims: Record<string, unknown>): string {
  const now = Math.floor(state.now() / 1_000);
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const body = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ userId: user.id, companyId: user.companyId, iat: now, exp: now + 300, ...claims })}`;
  return `${body}.${createHmac('sha256', options.jwtSecret ?? options.clientSecret)
    .update(body)
    .digest('base64url')}`;
}

type Verbs = Omit<PipedriveSandbox, 'url' | 'port' | 'state' | 'calls' | 'leadsInbox' | 'signedToken' | 'stop'>;

function verbs(state: State, options: PipedriveSandboxOptions): Verbs {
  const stamps = () => ({ is_deleted: false, add_time: timeV2(state), update_time: timeV2(state) });
  const firstUser = (company: Company): number => state.users.find((user) => user.companyId === company.id)?.id ?? 0;
  return {
    addCompany: ({ name, domain, dailyTokens = 300_000 }) => {
      const company = {
        id: newId(state),
        name,
        domain: domain ?? name.toLowerCase().replace(/[^a-z0-9]+/g, '-'),
        dailyTokens,
        spentTokens: 0,
      };
      state.companies.push(company);
      return company;
    },
    addUser: (
      company,
      { name, email, admin = false, language = 'en', timeZone = 'Europe/Stockholm', currency = 'SEK' },
    ) => {
      const address = email ?? `${name.toLowerCase().replace(/[^a-z]+/g, '.')}@${company.domain}.example`;
      const user = {
        id: newId(state),
        companyId: company.id,
        name,
        email: address,
        admin,
        language,
        timeZone,
        currency,
      };
      state.users.push(user);
      return user;
    },
    addPerson: (company, { name, phone, email, owner }) => {
      const person: Person = {
        id: newId(state),
        companyId: company.id,
        name,
        owner_id: owner?.id ?? firstUser(company),
        org_id: null,
        phones: phone ? [{ value: phone, primary: true, label: 'mobile' }] : [],
        emails: email ? [{ value: email, primary: true, label: 'work' }] : [],
        ...stamps(),
      };
      state.persons.push(person);
      return person;
    },
    addDeal: (company, { title, person, value = 0, currency = 'SEK', stage = 1, owner }) => {
      const deal: Deal = {
        id: newId(state),
        companyId: company.id,
        title,
        owner_id: owner?.id ?? firstUser(company),
        person_id: person?.id ?? null,
        org_id: null,
        pipeline_id: 1,
        stage_id: stage,
        value,
        currency,
        status: 'open',
        source_lead_id: null,
        ...stamps(),
      };
      state.deals.push(deal);
      return deal;
    },
    addOrganization: (company, { name, of }) => {
      const organization = { id: newId(state), companyId: company.id, name, owner_id: firstUser(company), ...stamps() };
      state.organizations.push(organization);
      for (const record of of) record.org_id = organization.id;
      return organization;
    },
    addLead: (company, { title, person, owner }) => {
      const user = owner?.id ?? firstUser(company);
      const lead: Lead = {
        id: newLeadId(),
        companyId: company.id,
        title,
        owner_id: user,
        creator_id: user,
        person_id: person.id,
        organization_id: null,
        value: null,
        is_archived: false,
        ...stamps(),
      };
      state.leads.push(lead);
      return lead;
    },
    notesOf: (type, recordId) =>
      state.notes.filter((note) => note.active_flag && String(note[`${type}_id`]) === String(recordId)),
    editNote: (note, content, user) => changeNote(state, note, { content, userId: user.id, source: 'app' }),
    deleteNote: (note, user) => deactivateNote(state, note, { userId: user.id, source: 'app' }),
    pinNote: (note, user) => {
      if (note.person_id !== null) note.pinned_to_person_flag = true;
      else note.pinned_to_deal_flag = true;
      changeNote(state, note, { content: note.content, userId: user.id, source: 'app' });
    },
    commentNote: (note, comment, user) => {
      state.comments.push({ noteId: note.id, userId: user.id, content: comment });
      changeNote(state, note, { content: note.content, userId: user.id, source: 'app' });
    },
    deleteRecord: (record) =>
      deleteRecord(state, 'phones' in record ? 'person' : 'creator_id' in record ? 'lead' : 'deal', record),
    mergePersons: (gone, into) => mergeRecords(state, 'person', gone, into),
    mergeDeals: (gone, into) => mergeRecords(state, 'deal', gone, into),
    convertLead: (lead) => convertLead(state, lead),
    archiveLead: (lead, archived = true) => archiveLead(state, lead, archived),
    settled: async () => {
      while (state.deliveries.size > 0) await Promise.all(state.deliveries);
    },
    authorize: (user, authorizeUrl) => {
      const asked = new URL(authorizeUrl);
      const target = new URL(options.redirectUri());
      if (
        asked.searchParams.get('redirect_uri') !== target.href ||
        asked.searchParams.get('client_id') !== options.clientId
      ) {
        throw new Error('Invalid redirect URL');
      }
      target.searchParams.set('code', newCode(state, user));
      const value = asked.searchParams.get('state');
      if (value !== null) target.searchParams.set('state', value);
      return target.href;
    },
    uninstall: async (user, authorization) => {
      state.grants = state.grants.filter((grant) => grant.userId !== user.id);
      // App-made webhooks vanish with the user who made them.
      state.webhooks = state.webhooks.filter((hook) => hook.userId !== user.id);
      const basic = `Basic ${Buffer.from(`${options.clientId}:${options.clientSecret}`).toString('base64')}`;
      const answer = await fetch(options.redirectUri(), {
        method: 'DELETE',
        headers: { authorization: authorization ?? basic, 'content-type': 'application/json' },
        body: JSON.stringify({
          client_id: options.clientId,
          company_id: user.companyId,
          user_id: user.id,
          timestamp: timeV2(state),
        }),
      });
      return answer.status;
    },
    revokeTokens: (user) => {
      state.grants = state.grants.filter((grant) => grant.userId !== user.id);
    },
    expireAccessTokens: () => state.grants.forEach((grant) => (grant.accessUntil = 0)),
    tokensSpent: (company) => company.spentTokens,
  };
}
