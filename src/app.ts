// The composition root: builds each part once, from the bottom row up, and gives it only what it needs. Stopping is the same backwards.
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { timeText, type Clock } from './base/clock.ts';
import { createVault } from './base/crypto.ts';
import { UserError } from './base/errors.ts';
import { createHttp } from './base/http.ts';
import type { Log } from './base/log.ts';
import { createMetrics, type Metrics } from './base/metrics.ts';
import { createBridgeFollower } from './bridge/follow.ts';
import { createGate } from './bridge/gate.ts';
import { pushConversation, type PushDeps as BridgePushDeps } from './bridge/push.ts';
import type { BridgeDeps } from './bridge/state.ts';
import { beginBridge, syncBridge, type SyncDeps } from './bridge/sync.ts';
import { createProviders } from './channels/registry.ts';
import type { Capabilities, ProviderName } from './channels/provider.ts';
import { eraseCompanies, eraseDue } from './companies/erase.ts';
import { removeCompany, type InstallDeps } from './companies/install.ts';
import { refreshProfile } from './companies/profile.ts';
import type { Config } from './config.ts';
import { openDatabase, type Database, type Tx } from './db/database.ts';
import { checkHistories, checkHistory, type CheckDeps } from './history/check-history.ts';
import { checkNote } from './history/check-note.ts';
import { createHistoryFollower } from './history/follow.ts';
import { createTurns } from './history/turns.ts';
import { writeNote, type HistoryDeps } from './history/write.ts';
import { autoLink, createAutoLinkFollower, type AutoLinkDeps } from './inbox/auto-link.ts';
import { createChanges } from './inbox/changes.ts';
import { disconnectAll } from './inbox/channels.ts';
import type { ConnectDeps } from './inbox/connect.ts';
import type { InboxDeps } from './inbox/deps.ts';
import { eraseOld } from './inbox/erase.ts';
import { fetchMedia } from './inbox/fetch-media.ts';
import { fetchProfile } from './inbox/fetch-profile.ts';
import { hintContact } from './inbox/hint.ts';
import { importHistory } from './inbox/import-history.ts';
import { beginIndexing, indexOld } from './inbox/index-old.ts';
import { ingest, readAgain } from './inbox/ingest.ts';
import { followRecord } from './inbox/link-follow.ts';
import { leaveProvider } from './inbox/leave-provider.ts';
import { keepWebhooks, pollRecords, type WatchDeps } from './inbox/link-watch.ts';
import { createPresence } from './inbox/presence.ts';
import type { ReadDeps } from './inbox/queries.ts';
import { receiveMessage } from './inbox/receive.ts';
import { reconcileChannel, reconcileChannels } from './inbox/reconcile.ts';
import { followSearch } from './inbox/search-index.ts';
import { removeMedia } from './inbox/remove-media.ts';
import { createSendPace } from './inbox/send-pace.ts';
import { sendMessage, settleMessage } from './inbox/send.ts';
import { applyEdit, applyReaction } from './inbox/react.ts';
import { applyStatus } from './inbox/status.ts';
import { createTemplateShelf } from './inbox/template-shelf.ts';
import { discardUpload } from './inbox/uploads.ts';
import { tidyChanges } from './inbox/tidy-changes.ts';
import { createQueue, releaseLeases } from './jobs/queue.ts';
import { bindBatchTask, bindTask, createWorker, type Worker } from './jobs/worker.ts';
import { downloadMedia } from './media/download.ts';
import { createMediaLinks } from './media/links.ts';
import { createS3Storage } from './media/s3-storage.ts';
import { createFolderStorage } from './media/storage.ts';
import { keepFile } from './media/upload.ts';
import { followBudget, mailTrouble } from './notify/admin-notices.ts';
import { createNoticeFollower } from './notify/follow.ts';
import { mailNotices, type MailDeps } from './notify/mail.ts';
import { refreshBrowser, type PushDeps } from './notify/push.ts';
import { createMailer } from './notify/smtp.ts';
import { tidyNotices } from './notify/tidy.ts';
import { createUnsubscribeLinks } from './notify/unsubscribe.ts';
import { pipedriveFor, type PipedriveDeps } from './pipedrive/client.ts';
import { createPace } from './pipedrive/pace.ts';
import { signedTokenKey } from './pipedrive/signed-token.ts';
import { grantsInOrder, type Grant } from './pipedrive/tokens.ts';
import { createHttpServer } from './web/server.ts';
import { createStreams } from './web/stream.ts';
import { createSurfaces } from './web/surfaces.ts';

export interface App {
  readonly server: Server;
  readonly db: Database;
  readonly worker: Worker;
  readonly metrics: Metrics;
  /** Listens and begins to work; answers the port. */
  start(): Promise<number>;
  /** Revokes a company's grants and erases its data; answers how many users had the app. Needs no start. */
  removeCompany(companyId: string): Promise<number>;
  /** Stops listening, drains the jobs, closes the streams and the database. */
  stop(): Promise<void>;
}

export interface AppOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  /** Where Vite put the surfaces. */
  readonly surfacesFolder: string;
  /** Refuses outgoing calls; tests let through the sandbox's addresses only. */
  readonly mayCall?: (url: URL) => boolean;
}

const stopGraceMs = 8_000;

/** Of a provider that is switched off: what it brought can still be read. */
const switchedOff: Capabilities = { replyWindowMs: 86_400_000, maxText: 0, attachments: null, templates: false };

export async function createApp({ config, clock, log, surfacesFolder, mayCall }: AppOptions): Promise<App> {
  const metrics = createMetrics();
  const http = createHttp({ metrics, ...(mayCall ? { mayCall } : {}) });
  const vault = createVault(config.encryptionKeys);
  const db = await openDatabase({ url: config.databaseUrl, log });
  const queue = createQueue({ db, clock });
  const storage = config.mediaUrl.startsWith('s3:')
    ? createS3Storage(config.mediaUrl)
    : createFolderStorage(config.mediaUrl);
  const links = createMediaLinks({ secret: config.sessionSecret, publicUrl: config.publicUrl, clock });
  const { send } = http;
  const { publicUrl } = config;
  const { channelsApi } = config.pipedrive;

  const providers = createProviders({ send, publicUrl, meta: config.meta, twilioApiUrl: config.twilio.apiUrl });
  const provider = (name: ProviderName) => {
    const found = providers[name];
    if (!found) throw new UserError('not_found', { provider: name });
    return found;
  };
  const mailer = config.mail && createMailer(config.mail);
  const presence = createPresence({ db, clock });
  const noticing = {
    queue,
    clock,
    presence,
    mails: mailer !== null,
    pushes: config.vapid !== null,
    mailDebounceMs: config.mailDebounceMs,
  };
  const followers = [
    followSearch,
    createHistoryFollower({ queue, debounceMs: config.noteDebounceMs, maxWaitMs: config.noteMaxWaitMs }),
    createNoticeFollower(noticing),
    createBridgeFollower({ queue, clock, channelsApi }),
    createAutoLinkFollower({ queue, clock }),
  ];
  const changes = createChanges({ db, clock, followers });

  const userChanged = (tx: Tx, { companyId, userId }: Grant): Promise<void> =>
    changes.record(tx, { kind: 'user.changed', companyId, userId });
  const pipedrive: PipedriveDeps = {
    db,
    clock,
    log,
    vault,
    send,
    metrics,
    pace: createPace(clock),
    settings: { ...config.pipedrive, publicUrl },
    onBudget: (tx, budget) => followBudget(noticing, tx, budget),
    onReconnectNeeded: userChanged,
  };
  const inbox: InboxDeps = {
    db,
    clock,
    log,
    metrics,
    vault,
    queue,
    changes,
    publicUrl,
    provider,
    fetchMedia: (url, rules) => downloadMedia({ http, storage, extraHosts: config.mediaExtraHosts }, url, rules),
    keepFile: (path, name) => keepFile(storage, path, name),
    mediaBytes: storage.read,
    templates: createTemplateShelf(clock),
    sendPace: createSendPace(clock),
    removeMedia: storage.remove,
    mediaLink: links.link,
  };
  const connect: ConnectDeps = { ...inbox, providers };
  const install: InstallDeps = {
    ...pipedrive,
    eraseAfterDays: config.eraseAfterDays,
    onLastUserGone: (tx, companyId) => disconnectAll(inbox, tx, companyId),
    onInstalled: async (tx, grant) => {
      await userChanged(tx, grant);
      const { companyId } = grant;
      // The daily look has no lane: while it waits it would hold up the one that is wanted now.
      const now = { lane: `webhooks:${companyId}`, key: `${companyId} now` };
      await queue.enqueue(tx, keepWebhooks, { companyId, once: true }, now);
      await queue.enqueue(tx, keepWebhooks, { companyId }, { key: companyId, delayMs: 86_400_000 });
    },
  };
  const history: HistoryDeps = {
    turns: createTurns(),
    db,
    clock,
    log,
    changes,
    publicUrl,
    pipedriveFor: (grant) => pipedriveFor(pipedrive, grant, { feature: 'notes' }),
    grants: (companyId, preferred) => db.read((reader) => grantsInOrder(reader, companyId, preferred)),
  };
  const checking: CheckDeps = { ...history, queue, metrics };
  const automatic: AutoLinkDeps = {
    ...inbox,
    grants: history.grants,
    pipedriveFor: (grant) => pipedriveFor(pipedrive, grant, { feature: 'automatic' }),
  };
  const unsubscribeLinks = createUnsubscribeLinks({ secret: config.sessionSecret, publicUrl });
  const mail: MailDeps = {
    db,
    clock,
    log,
    queue,
    publicUrl,
    mailer,
    unsubscribeLinks,
    mailDebounceMs: config.mailDebounceMs,
  };
  const push: PushDeps = {
    db,
    clock,
    log,
    vault,
    send,
    publicUrl,
    vapid: config.vapid,
    extraHosts: config.mediaExtraHosts,
  };
  const watch: WatchDeps = {
    ...history,
    vault,
    queue,
    pipedriveFor: (grant) => pipedriveFor(pipedrive, grant, { feature: 'records' }),
  };
  const bridge: BridgeDeps & SyncDeps & BridgePushDeps = {
    db,
    clock,
    log,
    queue,
    changes,
    publicUrl,
    channelsApi,
    mediaLink: links.link,
    gate: createGate(clock),
    capabilities: (name) => ({ templates: providers[name]?.templates !== undefined }),
    hasProfiles: (name) => providers[name]?.profile !== undefined,
    pipedriveFor: (grant) => pipedriveFor(pipedrive, grant, { feature: 'bridge', aside: true }),
    grants: history.grants,
  };
  const reading: ReadDeps & Pick<InboxDeps, 'mediaLink'> = {
    capabilities: (name) => providers[name]?.capabilities ?? switchedOff,
    now: () => timeText(clock),
    contactPicture: (contact) =>
      contact.avatarMediaKey === null ? null : links.link({ ...contact, name: 'picture.jpg' }, 'browser'),
    mediaLink: links.link,
  };
  const session = { db, clock, signedTokenKey: signedTokenKey(config.pipedrive.jwtSecret) };
  const streams = createStreams({ db, clock, log, metrics, changes, presence, reading });

  const worker = createWorker({
    db,
    clock,
    log,
    metrics,
    queue,
    tasks: [
      bindBatchTask(ingest, inbox),
      bindTask(readAgain, inbox),
      bindTask(receiveMessage, inbox),
      bindTask(applyStatus, inbox),
      bindTask(applyReaction, inbox),
      bindTask(applyEdit, inbox),
      bindTask(hintContact, inbox),
      bindTask(sendMessage, inbox),
      bindTask(settleMessage, inbox),
      bindTask(discardUpload, inbox),
      bindTask(fetchMedia, inbox),
      bindTask(fetchProfile, inbox),
      bindTask(importHistory, { ...inbox, importing: config.importing }),
      bindTask(reconcileChannels, { ...inbox, everyMs: config.reconcileIntervalMs }),
      bindTask(reconcileChannel, inbox),
      bindTask(leaveProvider, inbox),
      bindTask(writeNote, history),
      bindTask(checkNote, history),
      bindTask(checkHistories, checking),
      bindTask(checkHistory, checking),
      bindTask(followRecord, watch),
      bindTask(autoLink, automatic),
      bindTask(keepWebhooks, watch),
      bindTask(pollRecords, watch),
      bindTask(syncBridge, bridge),
      bindTask(pushConversation, bridge),
      bindTask(eraseCompanies, inbox),
      bindTask(eraseOld, inbox),
      bindTask(removeMedia, inbox),
      bindTask(refreshBrowser, push),
      bindTask(mailNotices, mail),
      bindTask(mailTrouble, mail),
      bindTask(tidyChanges, { db, clock }),
      bindTask(indexOld, { db, queue }),
      bindTask(tidyNotices, { db, clock }),
      bindTask(refreshProfile, { ...pipedrive, onUserChanged: userChanged }),
    ],
  });
  const server = createHttpServer({
    log,
    publicUrl,
    frameAncestors: [config.pipedrive.apiUrl, config.pipedrive.oauthUrl]
      .filter((url) => url !== null)
      .map((url) => new URL(url).origin),
    webhooks: { db, clock, log, metrics, vault, queue, providers },
    health: { db, clock, metrics, metricsToken: config.metricsToken },
    oauth: { install, connect, publicUrl },
    media: { db, storage, links },
    leadsInbox: {
      endpoints: { ...inbox, channelsApi },
      clientId: config.pipedrive.clientId,
      clientSecret: config.pipedrive.clientSecret,
    },
    me: {
      inbox,
      session,
      notesWaiting: (companyId) => countWaitingNotes(db, companyId),
      ways: { pushKey: config.vapid?.publicKey ?? null, mails: mailer !== null },
      bridgeOff: channelsApi === 'off' ? 'switched_off' : 'no_channel',
    },
    conversations: {
      inbox,
      reading,
      presence,
      pipedriveFor: (user) => pipedriveFor(pipedrive, user, { feature: 'links', urgent: true }),
    },
    messageReading: reading,
    links: { ...inbox, pipedriveFor: (user) => pipedriveFor(pipedrive, user, { feature: 'links', urgent: true }) },
    notifications: { db, mail, push, presence },
    unsubscribe: { db, unsubscribeLinks },
    streams,
    surfaces: createSurfaces(surfacesFolder),
  });
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });

  return {
    server,
    db,
    worker,
    metrics,
    start: async () => {
      // Nobody else works on an embedded database: what a dead process held is free at once.
      if (db.kind === 'sqlite') await db.transaction((tx) => releaseLeases(tx));
      await beginBridge(bridge);
      await db.transaction(async (tx) => {
        await queue.enqueue(tx, eraseCompanies, {}, { key: 'hourly' });
        await queue.enqueue(tx, eraseOld, {}, { key: 'hourly' });
        await queue.enqueue(tx, tidyChanges, {}, { key: 'hourly' });
        await beginIndexing(tx, queue);
        await queue.enqueue(tx, tidyNotices, {}, { key: 'tidy' });
        // The hourly one of an earlier start keeps its time: what fell due since then is not to wait for it (A3).
        await queue.enqueue(tx, eraseCompanies, { once: true }, { key: 'start' });
        await queue.enqueue(tx, pollRecords, {}, { key: 'always' });
        await queue.enqueue(tx, checkHistories, {}, { key: 'hourly' });
        const everyMs = config.reconcileIntervalMs;
        await queue.enqueue(tx, reconcileChannels, { everyMs }, { key: `every ${everyMs}` });
        await queue.enqueue(tx, reconcileChannels, {}, { key: 'start' });
      });
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(config.port, config.host, () => resolve());
      });
      worker.start();
      const address = server.address();
      return typeof address === 'object' && address ? address.port : config.port;
    },
    removeCompany: async (companyId) => {
      const users = await removeCompany(install, companyId);
      await eraseDue(inbox);
      return users;
    },
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      streams.closeAll();
      await worker.stop(stopGraceMs);
      // The server counts a connection as closed before those who write to it hear so, and read on for it.
      const unheard = [...sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
      server.closeAllConnections();
      await Promise.all([closed, ...unheard]);
      await http.close();
      await storage.close();
      await db.close();
    },
  };
}

async function countWaitingNotes(db: Database, companyId: string): Promise<number> {
  const row = await db.read((reader) =>
    reader.one<{ count: number }>(
      `select cast(count(*) as integer) as count from link
       where company_id = ? and removed_at is null and state = 'active' and history_complete = 0`,
      [companyId],
    ),
  );
  return row?.count ?? 0;
}
