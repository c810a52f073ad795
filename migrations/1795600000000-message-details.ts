// What messages hold beyond text and files (places, contact cards, what was shared), and how long sound and film last.
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class MessageDetails1795600000000 implements MigrationInterface {
  readonly name = 'MessageDetails1795600000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table message add column details text');
    await runner.query('alter table attachment add column duration_ms integer');
  }

  down(): Promise<void> {
    return Promise.reject(new Error('migrations go forward only'));
  }
}
