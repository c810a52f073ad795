// Notices: what each user is to be told, by desktop or by e-mail; the browsers that get them; what the admins must know.
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Notices1795680000000 implements MigrationInterface {
  readonly name = 'Notices1795680000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of statements) await runner.query(statement);
  }

  down(): Promise<void> {
    return Promise.reject(new Error('migrations go forward only'));
  }
}

const statements = [
  `create table notice (
    company_id text not null,
    user_id text not null,
    conversation_id text not null,
    via text not null check (via in ('desktop', 'email')),
    trigger text not null check (trigger in ('mine', 'others', 'unassigned', 'assigned')),
    event_id text not null,
    event_at text not null,
    after_number integer not null,
    by_name text,
    state text not null check (state in ('pending', 'told', 'withdrawn')),
    told_at text,
    mail_id text,
    mail_job text,
    primary key (conversation_id, user_id, company_id, via)
  )`,
  // What waits for one user's next mail.
  `create index notice_of_user on notice (company_id, user_id, via, state)`,
  `create index notice_by_age on notice (event_at)`,
  `create table push_subscription (
    id text not null primary key,
    company_id text not null,
    user_id text not null,
    session_id text not null,
    endpoint_hash text not null unique,
    sealed_target text not null,
    created_at text not null
  )`,
  `create index push_subscription_of_user on push_subscription (company_id, user_id)`,
  `create table pushed_notice (
    conversation_id text not null,
    subscription_id text not null,
    company_id text not null,
    event_id text not null,
    pushed_at text not null,
    primary key (conversation_id, subscription_id)
  )`,
  `create index pushed_notice_of_subscription on pushed_notice (subscription_id)`,
  `create table admin_notice (
    id text not null primary key,
    company_id text not null,
    kind text not null,
    subject_id text not null,
    reason text,
    by_name text,
    created_at text not null,
    ended_at text
  )`,
  // One at a time for each thing that is wrong: told once per state change.
  `create unique index admin_notice_open on admin_notice (company_id, kind, subject_id) where ended_at is null`,
];
