// Saved replies (V12), and when a channel's owner was last asked for something (N5).
import type { MigrationInterface, QueryRunner } from 'typeorm';

const statements = [
  // Without a user it is the company's.
  `create table saved_reply (
    id text not null primary key,
    company_id text not null,
    user_id text,
    name text not null,
    text text not null,
    created_at text not null,
    updated_at text not null
  )`,
  `create index saved_reply_by_user on saved_reply (company_id, user_id)`,
  `create table owner_request (
    channel_id text not null,
    what text not null,
    asked_by text not null,
    asked_at text not null,
    primary key (channel_id, what)
  )`,
];

export class SavedReplies1795610000001 implements MigrationInterface {
  readonly name = 'SavedReplies1795610000001';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of statements) await runner.query(statement);
  }

  down(): Promise<void> {
    return Promise.reject(new Error('migrations go forward only'));
  }
}
