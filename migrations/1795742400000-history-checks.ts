// When a company's notes were last held against its messages, so that it is done once a day whatever restarts in between (H9).
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class HistoryChecks1795742400000 implements MigrationInterface {
  readonly name = 'HistoryChecks1795742400000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table company add column history_checked_at text');
  }

  down(): Promise<void> {
    return Promise.reject(new Error('migrations go forward only'));
  }
}
