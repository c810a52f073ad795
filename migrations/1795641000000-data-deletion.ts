// Deletions that people asked Facebook for: what the status page says of each.
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class DataDeletion1795641000000 implements MigrationInterface {
  readonly name = 'DataDeletion1795641000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`create table data_deletion (
      id text not null primary key,
      channels integer not null,
      done_at text not null
    )`);
  }

  down(): Promise<void> {
    return Promise.reject(new Error('migrations go forward only'));
  }
}
