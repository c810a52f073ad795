// When a user's profile was last read at Pipedrive, so that rights and languages changed there are noticed.
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class ProfileTime1795600500000 implements MigrationInterface {
  readonly name = 'ProfileTime1795600500000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table app_user add column profile_at text');
  }

  down(): Promise<void> {
    return Promise.reject(new Error('migrations go forward only'));
  }
}
