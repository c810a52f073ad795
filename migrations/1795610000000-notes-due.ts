// Notes know what is still due, and when they must be written anew; links know why they broke; companies have webhooks in Pipedrive.
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class NotesDue1795610000000 implements MigrationInterface {
  readonly name = 'NotesDue1795610000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table note add column stale integer not null default 0');
    await runner.query('alter table note add column attempted_at text');
    await runner.query('alter table noted_message add column shown text');
    await runner.query('alter table link add column reason text');
    await runner.query('alter table link add column checked_at text');
    await runner.query('create index note_by_pipedrive_id on note (company_id, pipedrive_note_id)');
    await runner.query(`create index noted_message_due on noted_message (link_id) where note_id = ''`);
    // What belongs into a note was computed from ids before; now each message has its row from the first moment on.
    await runner.query(
      `insert into noted_message (link_id, message_id, note_id, confirmed)
       select l.id, m.id, '', 0 from link l join message m on m.conversation_id = l.conversation_id and m.id > l.after_message_id
       where l.removed_at is null and not exists
         (select 1 from noted_message n where n.link_id = l.id and n.message_id = m.id)`,
    );
    await runner.query(
      `create table pipedrive_webhook (
         company_id text not null primary key references company (id),
         sealed_password text not null,
         hooks text not null,
         user_id text,
         state text not null,
         reason text,
         received_at text,
         checked_at text not null
       )`,
    );
    await runner.query(
      `create table auto_link (
         conversation_id text not null primary key references conversation (id),
         company_id text not null,
         outcome text not null,
         tried_at text not null
       )`,
    );
  }

  down(): Promise<void> {
    return Promise.reject(new Error('migrations go forward only'));
  }
}
