// What a value is in when somebody creates a deal or lead is his currency in Pipedrive; and all links of a conversation are found,
// those that were removed too.
import type { MigrationInterface, QueryRunner } from 'typeorm';

const statements = [
  'alter table app_user add column currency text',
  'create index link_by_conversation on link (conversation_id)',
];

export class CurrencyAndLinks1795741200000 implements MigrationInterface {
  readonly name = 'CurrencyAndLinks1795741200000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of statements) await runner.query(statement);
  }

  down(): Promise<void> {
    return Promise.reject(new Error('migrations go forward only'));
  }
}
