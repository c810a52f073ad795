// Every change of the schema, in order. A migration is written once and never edited after a release.
import { Initial1795500000000 } from '../../migrations/1795500000000-initial.ts';
import { MessageDetails1795600000000 } from '../../migrations/1795600000000-message-details.ts';
import { ProfileTime1795600500000 } from '../../migrations/1795600500000-profile-time.ts';
import { NotesDue1795610000000 } from '../../migrations/1795610000000-notes-due.ts';
import { SavedReplies1795610000001 } from '../../migrations/1795610000001-saved-replies.ts';
import { ListsAndSearch1795620000002 } from '../../migrations/1795620000002-lists-and-search.ts';
import { DataDeletion1795641000000 } from '../../migrations/1795641000000-data-deletion.ts';
import { Notices1795680000000 } from '../../migrations/1795680000000-notices.ts';
import { Bridge1795677000000 } from '../../migrations/1795677000000-bridge.ts';
import { Retention1795710000000 } from '../../migrations/1795710000000-retention.ts';
import { CurrencyAndLinks1795741200000 } from '../../migrations/1795741200000-currency-and-links.ts';
import { HistoryChecks1795742400000 } from '../../migrations/1795742400000-history-checks.ts';
import { LeasedJobs1795750000000 } from '../../migrations/1795750000000-leased-jobs.ts';

export const migrations = [
  Initial1795500000000,
  MessageDetails1795600000000,
  ProfileTime1795600500000,
  NotesDue1795610000000,
  SavedReplies1795610000001,
  ListsAndSearch1795620000002,
  DataDeletion1795641000000,
  Bridge1795677000000,
  Notices1795680000000,
  Retention1795710000000,
  CurrencyAndLinks1795741200000,
  HistoryChecks1795742400000,
  LeasedJobs1795750000000,
];
