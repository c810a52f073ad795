// A window sleeps while hundreds of things happen, wakes, and is right again without being loaded anew (V11, S-01, X-21): the
// surfaces' own store, over the real stream, held against a recount of what is in the database.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createApi } from '../../extension-ui/src/api.ts';
import { createStore, type Store } from '../../extension-ui/src/store.ts';
import type { Counts, Section } from '../../src/web/contract.ts';
import { bothDatabases, type DatabaseKind } from '../support/databases.ts';
import { until } from '../support/wait.ts';
import { newNumber, signedIn, world, type TestUser, type World } from '../support/world.ts';

/** An hour, and longer than changes are kept. */
const naps = [3_600_000, 8 * 86_400_000] as const;
const changesAsleep = 500;
const customers = 25;

/** What a browser has and a surface needs: paths of our own, a network that can be cut, and who tells of it. */
const network = { url: '', isUp: true, inFlight: new Set<AbortController>() };
const fetchAnything = globalThis.fetch;
beforeAll(() => {
  Object.assign(globalThis, { addEventListener: () => undefined, removeEventListener: () => undefined });
  globalThis.fetch = (input, init) => {
    if (typeof input !== 'string' || !input.startsWith('/')) return fetchAnything(input, init);
    if (!network.isUp) return Promise.reject(new TypeError('no network'));
    const cut = new AbortController();
    network.inFlight.add(cut);
    init?.signal?.addEventListener('abort', () => cut.abort());
    return fetchAnything(network.url + input, { ...init, signal: cut.signal });
  };
});
afterAll(() => void (globalThis.fetch = fetchAnything));

function cutNetwork(): void {
  network.isUp = false;
  network.inFlight.forEach((cut) => cut.abort());
  network.inFlight.clear();
}

type Act =
  | { readonly kind: 'writes'; readonly who: number }
  | {
      readonly kind: 'reads' | 'closes' | 'opens' | 'answers' | 'deletes';
      readonly at: number;
      readonly byRep: boolean;
    }
  | { readonly kind: 'assigns'; readonly at: number; readonly byRep: boolean; readonly to: 'rep' | 'admin' | null }
  | { readonly kind: 'turns'; readonly visibility: 'private' | 'shared' };

const at = fc.nat({ max: 999 });
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ kind: fc.constant('writes' as const), who: fc.nat({ max: customers - 1 }) }) },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constantFrom('reads' as const, 'closes' as const, 'opens' as const, 'answers' as const),
      at,
      byRep: fc.boolean(),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('assigns' as const),
      at,
      byRep: fc.boolean(),
      to: fc.constantFrom('rep' as const, 'admin' as const, null),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('deletes' as const), at, byRep: fc.constant(false) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('turns' as const),
      visibility: fc.constantFrom('private' as const, 'shared' as const),
    }),
  },
);

interface Scene {
  readonly here: World;
  readonly store: Store;
  act(act: Act): Promise<void>;
}

async function scene(database: DatabaseKind): Promise<Scene> {
  const here = await world({ database });
  const [shared, mine] = [await here.whatsapp(), await here.whatsapp()];
  const people = Array.from({ length: customers }, (_, index) => ({
    phone: here.sandbox.twilio.customer(newNumber(), { name: `Customer ${index}` }),
    to: index % 3 === 0 ? mine.number : shared.number,
  }));
  await Promise.all(people.map(({ phone, to }) => phone.writes('Hello', { to })));
  await here.settled();
  Object.assign(network, { url: here.url, isUp: true });
  const api = createApi({
    signedToken: () => Promise.resolve(here.sandbox.pipedrive.signedToken(here.rep.pipedrive)),
    onSignedOut: () => expect.unreachable('signed out'),
  });
  const store = createStore(api, await api.me());
  await store.actions.start();
  const ids = (await here.admin.section('all')).map(({ id }) => id);
  const act = async (step: Act): Promise<void> => {
    if (step.kind === 'writes') {
      const { phone, to } = people[step.who]!;
      return void (await phone.writes('More', { to }));
    }
    if (step.kind === 'turns') {
      const { visibility } = step;
      return void (await here.admin.call('PATCH', `/api/channels/${mine.channel.id}`, { visibility }));
    }
    const user = step.byRep ? here.rep : here.admin;
    const path = `/api/conversations/${ids[step.at % ids.length]!}`;
    // What is hidden, deleted, over or somebody else's by now is refused, and changes nothing.
    switch (step.kind) {
      case 'reads': {
        const { body } = await user.call<{ data?: { id: string }[] }>('GET', `${path}/messages?limit=100`);
        const seen = body.data?.[step.at % body.data.length];
        if (seen) await user.call('PUT', `${path}/read`, { through: seen.id });
        return;
      }
      case 'closes':
      case 'opens':
        await user.call('PUT', `${path}/status`, { status: step.kind === 'closes' ? 'closed' : 'open' });
        return;
      case 'answers':
        await user.call('POST', `${path}/messages`, { clientMessageId: crypto.randomUUID(), text: 'Yes' });
        return;
      case 'deletes':
        await user.call('DELETE', path);
        return;
      case 'assigns':
        await user.call('PUT', `${path}/assignee`, { userId: step.to === null ? null : here[step.to].id });
    }
  };
  return { here, store, act };
}

/** From the messages themselves, without anything that is kept to make counting quick. */
async function recount(here: World, viewer: TestUser): Promise<Counts> {
  const rows = await here.app.db.read((reader) =>
    reader.query<{ status: string; assigneeId: string | null; unread: number }>(
      `select cv.status, cv.assignee_id,
         (select count(*) from message m where m.conversation_id = cv.id and m.direction = 'inbound' and m.inbound_number >
           coalesce((select r.read_count from read_mark r where r.conversation_id = cv.id and r.user_id = ?), 0)) as unread
       from conversation cv join channel ch on ch.id = cv.channel_id
       where cv.deleted_at is null and (ch.visibility = 'shared' or ch.owner_id = ?)`,
      [viewer.id, viewer.id],
    ),
  );
  const sectionOf = ({ status, assigneeId }: { status: string; assigneeId: string | null }): Section => {
    if (status === 'closed') return 'closed';
    return assigneeId === null ? 'unassigned' : assigneeId === viewer.id ? 'mine' : 'others';
  };
  const of = (section: Section) => {
    const own = rows.filter((row) => sectionOf(row) === section);
    return { total: own.length, unread: own.filter(({ unread }) => Number(unread) > 0).length };
  };
  return { unassigned: of('unassigned'), mine: of('mine'), others: of('others'), closed: of('closed') };
}

/** Everything the window shows is what the server has. */
async function isRight({ here, store }: Scene): Promise<void> {
  const counted = await recount(here, here.rep);
  expect(await here.rep.counts()).toEqual(counted);
  const { section, selected } = store.get();
  const listed = await here.rep.section(section);
  const isThere = selected !== null && (await here.rep.call('GET', `/api/conversations/${selected}`)).status === 200;
  const thread = isThere ? await here.rep.messages(selected) : [];

  const shown = () => {
    const { counts, list, conversations, threads, selected: stillOpen } = store.get();
    // What was deleted meanwhile is closed, also when it is there again by a new message.
    const messages = stillOpen === selected ? (isThere && threads.get(selected)?.messages) || [] : thread;
    return {
      counts,
      list: [...list.ids].sort(),
      conversations: listed.map(({ id }) => conversations.get(id)),
      thread: messages.slice(-thread.length).map(({ id, text, status }) => ({ id, text, status })),
    };
  };
  await vi.waitFor(
    () =>
      expect(shown()).toEqual({
        counts: counted,
        list: listed.map(({ id }) => id).sort(),
        conversations: listed,
        thread: thread.map(({ id, text, status }) => ({ id, text, status })),
      }),
    { timeout: 15_000, interval: 50 },
  );
}

describe.each(bothDatabases)('on %s', (database) => {
  test(`a window that slept through ${changesAsleep} changes is right again without being loaded anew, whatever they were (V11)`, async () => {
    const scene_ = await scene(database);
    const { here, store } = scene_;
    let sleeps = 0;
    try {
      await fc.assert(
        fc.asyncProperty(fc.array(act, { minLength: 120, maxLength: 120 }), at, async (acts, opened) => {
          const { list } = store.get();
          store.actions.select(list.ids[opened % Math.max(1, list.ids.length)] ?? null);
          const numberOf = async (): Promise<number> =>
            (await here.admin.call<{ changeNumber: number }>('GET', '/api/me')).body.changeNumber;
          const before = await numberOf();

          cutNetwork();
          // Until it has slept through so much, the same again; ten at a time, as several people do.
          while ((await numberOf()) - before < changesAsleep) {
            for (let from = 0; from < acts.length; from += 10)
              await Promise.all(acts.slice(from, from + 10).map((step) => scene_.act(step)));
            await here.settled();
          }
          here.clock.advance(naps[sleeps]!);
          for (const user of [here.rep, here.admin])
            user.token = (await signedIn(here.url, here.sandbox, user.pipedrive)).token;
          // Whatever is done daily or hourly.
          await here.settled();
          const kept = await here.app.db.read((reader) =>
            reader.query('select 1 from change where number = ?', [before + 1]),
          );
          expect(kept.length).toBe(sleeps === 0 ? 1 : 0);
          network.isUp = true;
          store.actions.retryNow();

          await until(() => store.get().offline === null, 'the network');
          await isRight(scene_);
          sleeps += 1;
        }),
        { numRuns: naps.length, endOnFailure: true },
      );
      expect(sleeps).toBe(naps.length);
    } finally {
      store.actions.stop();
    }
  }, 120_000);
});
