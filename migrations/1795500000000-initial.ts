// The first schema. One text for both databases: ids, times and JSON are text, flags and counts integers.
import type { MigrationInterface, QueryRunner } from 'typeorm';

const statements = [
  `create table company (
    id text not null primary key,
    name text not null,
    domain text not null,
    settings text not null,
    change_number integer not null,
    erase_at text,
    created_at text not null
  )`,
  `create table app_user (
    company_id text not null references company (id),
    id text not null,
    name text not null,
    email text not null,
    avatar_url text,
    language text not null,
    time_zone text not null,
    is_admin integer not null,
    available integer not null,
    notifications text not null,
    created_at text not null,
    primary key (company_id, id)
  )`,
  `create table installation (
    company_id text not null,
    user_id text not null,
    sealed_access_token text not null,
    sealed_refresh_token text not null,
    access_expires_at text not null,
    scope text not null,
    api_domain text not null,
    state text not null,
    refresh_lease_until text,
    installed_at text not null,
    refreshed_at text not null,
    primary key (company_id, user_id)
  )`,
  `create table oauth_state (
    id text not null primary key,
    kind text not null,
    browser_hash text not null,
    company_id text,
    user_id text,
    next text not null,
    expires_at text not null
  )`,
  `create table session (
    id text not null primary key,
    company_id text not null,
    user_id text not null,
    kind text not null,
    created_at text not null,
    expires_at text not null
  )`,
  `create index session_by_user on session (company_id, user_id)`,
  `create table token_budget (
    company_id text not null primary key,
    daily_limit integer,
    remaining integer,
    blocked_until text,
    updated_at text not null
  )`,
  `create table channel (
    id text not null primary key,
    company_id text not null references company (id),
    owner_id text not null,
    provider text not null,
    account text not null,
    address text not null,
    name text not null,
    avatar_url text,
    visibility text not null,
    sealed_credentials text,
    state text not null,
    broken_reason text,
    facts text not null,
    last_inbound_at text,
    last_outbound_at text,
    created_at text not null,
    disconnected_at text
  )`,
  // One company at a time holds a Page or a sender: a webhook must have one place to go.
  `create unique index channel_by_address on channel (provider, account, address) where state <> 'disconnected'`,
  `create index channel_by_company on channel (company_id)`,
  `create table messenger_login (
    id text not null primary key,
    company_id text not null,
    user_id text not null,
    facebook_user_id text,
    sealed_pages text,
    expires_at text not null
  )`,
  `create table contact (
    id text not null primary key,
    company_id text not null,
    channel_id text not null references channel (id),
    name text not null,
    address text not null,
    avatar_media_key text,
    profile_at text,
    created_at text not null
  )`,
  `create table contact_identity (
    channel_id text not null,
    type text not null,
    value text not null,
    contact_id text not null references contact (id),
    primary key (channel_id, type, value)
  )`,
  `create index contact_identity_by_contact on contact_identity (contact_id)`,
  `create table conversation (
    id text not null primary key,
    company_id text not null,
    channel_id text not null references channel (id),
    contact_id text not null references contact (id),
    status text not null,
    assignee_id text,
    last_message_id text,
    last_message_at text not null,
    last_inbound_at text,
    reply_until text,
    inbound_count integer not null,
    deleted_at text,
    created_at text not null,
    updated_at text not null
  )`,
  `create unique index conversation_by_contact on conversation (channel_id, contact_id)`,
  `create index conversation_by_section on conversation (company_id, status, assignee_id, last_message_at, id)`,
  `create index conversation_by_time on conversation (company_id, last_message_at, id)`,
  `create table read_mark (
    conversation_id text not null,
    user_id text not null,
    company_id text not null,
    read_count integer not null,
    through_message_id text not null,
    primary key (conversation_id, user_id)
  )`,
  `create table message (
    id text not null primary key,
    company_id text not null,
    channel_id text not null,
    conversation_id text not null references conversation (id),
    direction text not null,
    author_kind text not null,
    author_id text,
    author_name text not null,
    kind text not null,
    text text not null,
    status text not null,
    error_code text,
    provider_code text,
    provider_message_id text,
    client_message_id text,
    reply_to_provider_id text,
    reactions text not null,
    inbound_number integer,
    raw text,
    created_at text not null,
    sent_at text,
    sending_at text,
    attempts integer not null
  )`,
  // A provider's message is stored once, however often and from wherever it comes (I-05).
  `create unique index message_by_provider on message (channel_id, provider_message_id)`,
  `create unique index message_by_client on message (conversation_id, client_message_id)`,
  `create index message_in_thread on message (conversation_id, created_at, id)`,
  `create index message_unsettled on message (status, company_id) where status in ('queued', 'unknown')`,
  `create table attachment (
    id text not null primary key,
    company_id text not null,
    message_id text,
    position integer not null,
    kind text not null,
    content_type text not null,
    name text not null,
    size integer,
    width integer,
    height integer,
    state text not null,
    source_url text,
    media_key text,
    uploaded_by text,
    created_at text not null
  )`,
  `create index attachment_by_message on attachment (message_id)`,
  `create table erased_message (
    channel_id text not null,
    provider_message_hash text not null,
    primary key (channel_id, provider_message_hash)
  )`,
  `create table link (
    id text not null primary key,
    company_id text not null,
    conversation_id text not null references conversation (id),
    type text not null,
    record_id text not null,
    title text not null,
    details text not null,
    state text not null,
    after_message_id text not null,
    history_complete integer not null,
    created_by text not null,
    created_at text not null,
    removed_at text
  )`,
  `create unique index link_once on link (conversation_id, type, record_id) where removed_at is null`,
  `create unique index link_one_person on link (conversation_id) where removed_at is null and type = 'person'`,
  `create index link_by_record on link (company_id, type, record_id)`,
  `create table record_request (
    company_id text not null,
    id text not null,
    conversation_id text not null,
    type text not null,
    title text not null,
    state text not null,
    record_id text,
    started_at text not null,
    primary key (company_id, id)
  )`,
  `create table note (
    id text not null primary key,
    company_id text not null,
    link_id text not null,
    pipedrive_note_id text,
    state text not null,
    mark text not null,
    version integer not null,
    content_hash text,
    author_id text,
    window_until text not null,
    created_at text not null
  )`,
  `create index note_by_link on note (link_id, created_at)`,
  `create table noted_message (
    link_id text not null,
    message_id text not null,
    note_id text not null,
    confirmed integer not null,
    primary key (link_id, message_id)
  )`,
  `create index noted_message_by_note on noted_message (note_id)`,
  `create index noted_message_by_message on noted_message (message_id)`,
  `create table timeline_entry (
    id text not null primary key,
    company_id text not null,
    conversation_id text not null,
    kind text not null,
    by_kind text not null,
    by_id text,
    by_name text not null,
    details text not null,
    created_at text not null
  )`,
  `create index timeline_by_conversation on timeline_entry (conversation_id, id)`,
  `create table change (
    company_id text not null,
    number integer not null,
    kind text not null,
    conversation_id text,
    subject_id text,
    created_at text not null,
    primary key (company_id, number)
  )`,
  `create table job (
    id text not null primary key,
    task text not null,
    payload text not null,
    lane text,
    merge_key text,
    run_at text not null,
    latest_at text,
    attempts integer not null,
    lease_until text,
    lease_owner text,
    parked_at text,
    error text,
    correlation_id text,
    created_at text not null
  )`,
  `create index job_due on job (run_at, id) where parked_at is null`,
  `create index job_in_lane on job (lane, id) where parked_at is null and lane is not null`,
  // What waits is merged by its key; what runs is not.
  `create unique index job_waiting on job (task, merge_key)
    where merge_key is not null and lease_until is null and parked_at is null`,
  `create table audit_entry (
    id text not null primary key,
    company_id text not null,
    user_id text,
    act text not null,
    details text not null,
    created_at text not null
  )`,
];

export class Initial1795500000000 implements MigrationInterface {
  readonly name = 'Initial1795500000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of statements) await runner.query(statement);
  }

  down(): Promise<void> {
    return Promise.reject(new Error('migrations go forward only'));
  }
}
