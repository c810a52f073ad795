// What our Pipedrive knows: companies, users, grants, records and notes, and every call it received.
import { randomBytes, randomUUID } from 'node:crypto';
import type { Call } from '../listen.ts';

export interface Company {
  id: number;
  name: string;
  domain: string;
  dailyTokens: number;
  spentTokens: number;
}

export interface User {
  id: number;
  companyId: number;
  name: string;
  email: string;
  admin: boolean;
  language: string;
  timeZone: string;
  currency: string;
}

export interface Grant {
  companyId: number;
  userId: number;
  accessToken: string;
  refreshToken: string;
  accessUntil: number;
  scopes: string[];
}

export interface Person {
  id: number;
  companyId: number;
  name: string;
  owner_id: number;
  org_id: number | null;
  phones: { value: string; primary: boolean; label: string }[];
  emails: { value: string; primary: boolean; label: string }[];
  is_deleted: boolean;
  add_time: string;
  update_time: string;
}

export interface Organization {
  id: number;
  companyId: number;
  name: string;
  owner_id: number;
  is_deleted: boolean;
  add_time: string;
  update_time: string;
}

export interface Deal {
  id: number;
  companyId: number;
  title: string;
  owner_id: number;
  person_id: number | null;
  org_id: number | null;
  pipeline_id: number;
  stage_id: number;
  value: number;
  currency: string;
  status: 'open' | 'won' | 'lost';
  is_deleted: boolean;
  source_lead_id: string | null;
  add_time: string;
  update_time: string;
}

export interface Lead {
  id: string;
  companyId: number;
  title: string;
  owner_id: number;
  creator_id: number;
  person_id: number | null;
  organization_id: number | null;
  value: { amount: number; currency: string } | null;
  is_archived: boolean;
  is_deleted: boolean;
  add_time: string;
  update_time: string;
}

export interface Note {
  id: number;
  companyId: number;
  content: string;
  user_id: number;
  last_update_user_id: number | null;
  deal_id: number | null;
  person_id: number | null;
  org_id: number | null;
  lead_id: string | null;
  pinned_to_deal_flag: boolean;
  pinned_to_person_flag: boolean;
  active_flag: boolean;
  add_time: string;
  update_time: string;
}

export interface Stage {
  id: number;
  name: string;
  pipeline_id: number;
  order_nr: number;
}

export interface Webhook {
  id: number;
  companyId: number;
  userId: number;
  url: string;
  action: string;
  object: string;
  name: string;
  user: string | null;
  password: string | null;
}

export interface PipedriveCall extends Call {
  companyId: number | null;
  userId: number | null;
  cost: number;
}

export interface State {
  now: () => number;
  companies: Company[];
  users: User[];
  grants: Grant[];
  codes: Map<string, { companyId: number; userId: number; until: number; used: boolean }>;
  persons: Person[];
  organizations: Organization[];
  deals: Deal[];
  leads: Lead[];
  notes: Note[];
  /** Under the notes; no part of them. */
  comments: { noteId: number; userId: number; content: string }[];
  pipelines: { id: number; name: string; order_nr: number }[];
  stages: Stage[];
  calls: PipedriveCall[];
  /** The refresh tokens that were handed in, taken or refused. */
  refreshes: string[];
  /** A refresh answers a new refresh token and kills the old one. */
  rotating: boolean;
  /** Requests a token may make in two seconds. */
  burstLimit: number;
  searchLimit: number;
  recent: Map<string, number[]>;
  webhooks: Webhook[];
  /** Nothing is delivered: as when the receiver was banned for half an hour. */
  webhooksDown: boolean;
  deliveries: Set<Promise<void>>;
  delivered: { hookId: number; body: Record<string, unknown>; status: number }[];
  nextId: number;
}

export const allScopes = [
  'base',
  'users:read',
  'contacts:full',
  'deals:full',
  'leads:full',
  'search:read',
  'webhooks:full',
  'messengers-integration',
];

export function createState(now: () => number): State {
  const stage = (id: number, name: string): Stage => ({ id, name, pipeline_id: 1, order_nr: id });
  return {
    now,
    companies: [],
    users: [],
    grants: [],
    codes: new Map(),
    persons: [],
    organizations: [],
    deals: [],
    leads: [],
    notes: [],
    comments: [],
    pipelines: [{ id: 1, name: 'Sales', order_nr: 1 }],
    stages: [
      stage(1, 'Contact made'),
      stage(2, 'Site visit booked'),
      stage(3, 'Quote sent'),
      stage(4, 'Negotiation'),
      stage(5, 'Contract signed'),
    ],
    calls: [],
    refreshes: [],
    rotating: false,
    burstLimit: 80,
    searchLimit: 10,
    recent: new Map(),
    webhooks: [],
    webhooksDown: false,
    deliveries: new Set(),
    delivered: [],
    nextId: 1001,
  };
}

export function newId(state: State): number {
  state.nextId += 1;
  return state.nextId;
}

export function newLeadId(): string {
  return randomUUID();
}

export function newSecret(prefix: string): string {
  return `${prefix}${randomBytes(24).toString('hex')}`;
}

/** v2 writes RFC 3339 without fractions. */
export function timeV2(state: State): string {
  return new Date(state.now()).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** v1 writes UTC without a zone. */
export function timeV1(time: string): string {
  return time.replace('T', ' ').replace(/(\.\d+)?Z$/, '');
}
