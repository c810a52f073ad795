// What is older than a company keeps is found from the front of an index (O5), by whatever hour of whatever year it is.
import type { MigrationInterface, QueryRunner } from 'typeorm';

const statements = [
  'create index message_by_age on message (company_id, created_at)',
  'create index conversation_deleted on conversation (channel_id, deleted_at) where deleted_at is not null',
];

export class Retention1795710000000 implements MigrationInterface {
  readonly name = 'Retention1795710000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of statements) await runner.query(statement);
  }

  down(): Promise<void> {
    return Promise.reject(new Error('migrations go forward only'));
  }
}
