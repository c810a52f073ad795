// What is taken, by task: a batch of one task is taken only when the one before it is done, so that webhooks are worked off in
// the order in which they came (O-01).
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class LeasedJobs1795750000000 implements MigrationInterface {
  readonly name = 'LeasedJobs1795750000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('create index job_leased on job (task) where lease_until is not null and parked_at is null');
  }

  down(): Promise<void> {
    return Promise.reject(new Error('migrations go forward only'));
  }
}
