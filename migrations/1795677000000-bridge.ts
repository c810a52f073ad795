// The bridge into Leads Inbox: how it stands per company, which channels are registered, and what Pipedrive has yet to hear.
import type { MigrationInterface, QueryRunner } from 'typeorm';

const statements = [
  `create table bridge (
    company_id text not null primary key,
    state text not null,
    reason text,
    checked_at text not null
  )`,
  `create table bridge_channel (
    channel_id text not null primary key,
    company_id text not null,
    user_id text not null,
    state text not null,
    since text not null
  )`,
  `create table bridge_pending (
    id text not null primary key,
    company_id text not null,
    channel_id text not null,
    conversation_id text not null,
    what text not null,
    version integer not null,
    since text not null
  )`,
  `create index bridge_pending_by_conversation on bridge_pending (conversation_id, what, id)`,
  `create index bridge_pending_by_company on bridge_pending (company_id, conversation_id)`,
  `create table bridge_submission (
    conversation_id text not null,
    digest text not null,
    company_id text not null,
    client_message_id text not null,
    submitted_at text not null,
    primary key (conversation_id, digest)
  )`,
];

export class Bridge1795677000000 implements MigrationInterface {
  readonly name = 'Bridge1795677000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of statements) await runner.query(statement);
  }

  down(): Promise<void> {
    return Promise.reject(new Error('migrations go forward only'));
  }
}
