// Who is told of what, and by which way (N1, N3, N4, V3, V8, A8): over the real line, to a window, a browser and a mailbox.
import { describe, expect, test } from 'vitest';
import { bothDatabases, type DatabaseKind } from '../support/databases.ts';
import { all, allTold, none, setSwitches, watch, type Switches, type Told, type Watch } from '../support/notices.ts';
import { newNumber, world, type TestUser, type World } from '../support/world.ts';

interface Office {
  readonly here: World;
  readonly erik: TestUser;
  readonly sara: TestUser;
  /** Everybody, by first name. */
  readonly people: Readonly<Record<string, Watch>>;
  readonly shared: string;
  readonly hidden: string;
  /** A customer writes for the first time; answers the conversation. */
  arrives(number: string): Promise<Started>;
}

interface Started {
  readonly id: string;
  writes(text: string): Promise<void>;
}

/** Erik owns the channels, Sara and Maja answer, Nils is away; everybody has every switch on, a window and a browser. */
async function office(database: DatabaseKind): Promise<Office> {
  const here = await world({ database, environment: { MAIL_DEBOUNCE_MS: '0' } });
  const { admin: erik, rep: sara } = here;
  const maja = await here.install(here.sandbox.pipedrive.addUser(here.company, { name: 'Maja Ek' }));
  const nils = await here.install(here.sandbox.pipedrive.addUser(here.company, { name: 'Nils Borg' }));
  const { number: shared } = await here.whatsapp(erik);
  const { number: hidden } = await here.whatsapp(erik, 'private');
  await nils.call('PUT', '/api/me/availability', { available: false });
  const people: Record<string, Watch> = {};
  for (const [name, user] of Object.entries({ erik, sara, maja, nils })) {
    await setSwitches(user, all, all);
    people[name] = await watch(here, user);
  }
  let guests = 0;
  const arrives = async (number: string): Promise<Started> => {
    guests += 1;
    const name = `Guest ${guests}`;
    const customer = here.sandbox.twilio.customer(newNumber(), { name });
    const writes = async (text: string): Promise<void> => void (await customer.writes(text, { to: number }));
    await writes('Hello');
    return { id: (await erik.conversationWith(name)).id, writes };
  };
  return { here, erik, sara, people, shared, hidden, arrives };
}

const heard = (trigger: string): Told => ({ window: [trigger], browser: [trigger], mails: 1 });
const nothing: Told = { window: [], browser: [], mails: 0 };

interface Case {
  readonly when: string;
  /** Makes ready what is not looked at, and answers what is. */
  readonly ready: (office: Office) => Promise<() => Promise<unknown>>;
  readonly told: Readonly<Record<'erik' | 'sara' | 'maja' | 'nils', Told>>;
}

const given = async ({ here, erik, arrives, shared, people }: Office, to: TestUser): Promise<Started> => {
  const conversation = await arrives(shared);
  await erik.call('PUT', `/api/conversations/${conversation.id}/assignee`, { userId: to.id });
  // Read by all, so that only what comes now is news; and a mail of before does not keep the next one back (N4).
  await allTold(here, Object.values(people));
  for (const { user } of Object.values(people)) {
    const messages = await user.messages(conversation.id);
    await user.call('PUT', `/api/conversations/${conversation.id}/read`, { through: messages.at(-1)!.id });
  }
  here.clock.advance(601_000);
  return conversation;
};

const table: readonly Case[] = [
  {
    when: 'a message in a conversation that nobody has: all who could take it',
    ready:
      async ({ arrives, shared }) =>
      () =>
        arrives(shared),
    told: { erik: heard('unassigned'), sara: heard('unassigned'), maja: heard('unassigned'), nils: nothing },
  },
  {
    when: 'a message in a conversation that is Sara’s: she as hers, the others as another’s, away or not',
    ready: async (office) => {
      const conversation = await given(office, office.sara);
      return () => conversation.writes('Are you there?');
    },
    told: { erik: heard('others'), sara: heard('mine'), maja: heard('others'), nils: heard('others') },
  },
  {
    when: 'a message on a private channel: its owner alone (A8)',
    ready:
      async ({ arrives, hidden }) =>
      () =>
        arrives(hidden),
    told: { erik: heard('unassigned'), sara: nothing, maja: nothing, nils: nothing },
  },
  {
    when: 'a conversation is given to Sara: she alone',
    ready: async ({ here, people, erik, sara, arrives, shared }) => {
      const { id } = await arrives(shared);
      await allTold(here, Object.values(people));
      here.clock.advance(601_000);
      return () => erik.call('PUT', `/api/conversations/${id}/assignee`, { userId: sara.id });
    },
    told: { erik: nothing, sara: heard('assigned'), maja: nothing, nils: nothing },
  },
  {
    when: 'Sara takes a conversation herself: nobody',
    ready: async ({ here, people, sara, arrives, shared }) => {
      const { id } = await arrives(shared);
      await allTold(here, Object.values(people));
      return () => sara.call('PUT', `/api/conversations/${id}/assignee`, { userId: sara.id });
    },
    told: { erik: nothing, sara: nothing, maja: nothing, nils: nothing },
  },
  {
    when: 'a message while Sara has the conversation open and in focus: none on her desktop (N3)',
    ready: async (office) => {
      const conversation = await given(office, office.sara);
      await office.sara.call('PUT', `/api/conversations/${conversation.id}/presence`, { typing: false, focused: true });
      return () => conversation.writes('Still there?');
    },
    told: {
      erik: heard('others'),
      sara: { window: [], browser: [], mails: 1 },
      maja: heard('others'),
      nils: heard('others'),
    },
  },
  {
    when: 'a message while Sara has it open in a window that has not the focus: as ever',
    ready: async (office) => {
      const conversation = await given(office, office.sara);
      await office.sara.call('PUT', `/api/conversations/${conversation.id}/presence`, {
        typing: false,
        focused: false,
      });
      return () => conversation.writes('Hello again');
    },
    told: { erik: heard('others'), sara: heard('mine'), maja: heard('others'), nils: heard('others') },
  },
  {
    when: 'Sara answers: nobody, herself least of all',
    ready: async (office) => {
      const conversation = await given(office, office.sara);
      return () => office.sara.sends(conversation.id, 'Yes, here I am');
    },
    told: { erik: nothing, sara: nothing, maja: nothing, nils: nothing },
  },
  {
    when: 'a message to Sara, who has gone away since: what is hers goes on (V3)',
    ready: async (office) => {
      const conversation = await given(office, office.sara);
      await office.sara.call('PUT', '/api/me/availability', { available: false });
      return () => conversation.writes('One more thing');
    },
    told: { erik: heard('others'), sara: heard('mine'), maja: heard('others'), nils: heard('others') },
  },
  {
    when: 'a Page is connected whose contacts wrote before: nobody, of none of it (C13)',
    ready: ({ here, erik }) => {
      const { meta } = here.sandbox;
      const person = meta.addPerson({ name: 'Erik Lund' });
      const page = meta.addPage({ name: 'Nordtak Sverige', ownedBy: person });
      return Promise.resolve(async () => {
        await meta.customer({ name: 'Guest of long ago' }).writes('Hello', { to: page });
        here.clock.advance(60_000);
        const begun = await erik.call<{ login: string; authorizeUrl: string }>('POST', '/api/channels/messenger/login');
        await fetch(meta.authorize(person, begun.body.authorizeUrl));
        const { login } = begun.body;
        await erik.call('POST', '/api/channels/messenger', { login, pageIds: [page.id], visibility: 'shared' });
        const { id } = await erik.conversationWith('Guest of long ago');
        expect(await erik.messages(id)).toMatchObject([{ text: 'Hello' }]);
      });
    },
    told: { erik: nothing, sara: nothing, maja: nothing, nils: nothing },
  },
];

describe.each(bothDatabases)('on %s', (database) => {
  test('trigger by way by who: exactly those are told whom it concerns (N1, N3, V3, A8)', async () => {
    const place = await office(database);
    const watches = Object.values(place.people);
    for (const { when, ready, told } of table) {
      const act = await ready(place);
      await allTold(place.here, watches);
      for (const each of watches) each.since();

      await act();
      await allTold(place.here, watches);

      const seen = Object.fromEntries(Object.entries(place.people).map(([name, each]) => [name, each.since()]));
      expect.soft(seen, when).toEqual(told);
      await place.sara.call('PUT', '/api/me/availability', { available: true });
      place.here.clock.advance(601_000);
    }
  }, 60_000);
});

test('each of the eight switches silences its own trigger on its own way, and nothing else (N1)', async () => {
  const place = await office('sqlite');
  const { here, erik, sara, people, shared, arrives } = place;
  const watches = Object.values(people);
  const acts: Readonly<Record<keyof Switches, () => Promise<() => Promise<unknown>>>> = {
    mine: async () => {
      const conversation = await given(place, sara);
      return () => conversation.writes('For Sara');
    },
    others: async () => {
      const conversation = await given(place, people.maja!.user);
      return () => conversation.writes('For Maja');
    },
    unassigned: () => Promise.resolve(() => arrives(shared)),
    assigned: async () => {
      const { id } = await arrives(shared);
      await allTold(here, watches);
      here.clock.advance(601_000);
      return () => erik.call('PUT', `/api/conversations/${id}/assignee`, { userId: sara.id });
    },
  };

  for (const [trigger, prepare] of Object.entries(acts) as [keyof Switches, (typeof acts)['mine']][]) {
    for (const way of ['desktop', 'email'] as const) {
      await setSwitches(sara, all, all);
      const act = await prepare();
      await allTold(here, watches);
      people.sara!.since();
      const without = { ...all, [trigger]: false };
      await setSwitches(sara, way === 'desktop' ? without : all, way === 'email' ? without : all);

      await act();
      await allTold(here, watches);

      const told = way === 'desktop' ? { ...nothing, mails: 1 } : { ...heard(trigger), mails: 0 };
      expect.soft(people.sara!.since(), `${trigger} without ${way}`).toEqual(told);
      here.clock.advance(601_000);
    }
  }
  await setSwitches(sara, none, none);
  await arrives(shared);
  await allTold(here, watches);
  expect(people.sara!.since()).toEqual(nothing);
}, 60_000);
