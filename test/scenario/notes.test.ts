// History notes: complete, once, in order, over no human's words, at a small cost, through Pipedrive's bad days (H1 to H9, P-01 to P-05).
import { describe, expect, test } from 'vitest';
import type { Conversation, Me, Message } from '../../src/web/contract.ts';
import { bothDatabases } from '../support/databases.ts';
import { counts, linkedCustomer, noted, wordsOf } from '../support/notes.ts';
import { until } from '../support/wait.ts';
import { newNumber, signedIn, world } from '../support/world.ts';

const hour = 3_600_000;
const minute = 60_000;

const html = '<html><body>Checking your browser</body></html>';
/** What may become of a call that writes a note. */
const badAnswers = {
  'created, but the answer is lost': { kind: 'do-then-drop' },
  'created, but the answer makes no sense': { kind: 'do-then-answer', status: 200, body: html },
  'created, but the answer says 502': { kind: 'do-then-answer', status: 502, body: html },
  'never arrived': { kind: 'drop' },
  'an error of theirs': { kind: 'answer', status: 500, body: '' },
  'a burst limit': { kind: 'answer', status: 429, headers: { 'retry-after': '3' }, body: '' },
  'a limit without a word': { kind: 'answer', status: 429, headers: { 'retry-after': 'abc' }, body: html },
  'success that is none': { kind: 'answer', status: 200, body: { success: false } },
} as const;

describe.each(bothDatabases)('on %s', (database) => {
  test('a note takes messages for 24 hours, then the next begins; a human’s edit or deletion ends it before, his pin or comment does not (H2, H3)', async () => {
    const here = await world({ database });
    const { sandbox, clock, rep } = here;
    const { number } = await here.whatsapp();
    const plain = await linkedCustomer(here, number, { name: 'Plain' });
    const edited = await linkedCustomer(here, number, { name: 'Edited' });
    const deleted = await linkedCustomer(here, number, { name: 'Deleted' });
    const pinned = await linkedCustomer(here, number, { name: 'Pinned' });
    const commented = await linkedCustomer(here, number, { name: 'Commented' });
    const everybody = [plain, edited, deleted, pinned, commented];
    const begun = clock.ms();
    for (const who of everybody) await who.writes('at the start');
    await noted(here);
    for (const who of everybody) expect(who.notes()).toHaveLength(1);

    clock.advance(10 * hour);
    const mine = '<b>Sara:</b> she wants the black one';
    sandbox.pipedrive.editNote(sandbox.pipedrive.notesOf('person', edited.person.id)[0]!, mine, rep.pipedrive);
    sandbox.pipedrive.deleteNote(sandbox.pipedrive.notesOf('person', deleted.person.id)[0]!, rep.pipedrive);
    sandbox.pipedrive.pinNote(sandbox.pipedrive.notesOf('person', pinned.person.id)[0]!, rep.pipedrive);
    const [remarked] = sandbox.pipedrive.notesOf('person', commented.person.id);
    sandbox.pipedrive.commentNote(remarked!, 'She prefers the black one', rep.pipedrive);
    await noted(here);
    for (const who of everybody.slice(1)) await who.writes('after ten hours');
    await noted(here);

    expect(edited.notes().map(({ content }) => content)[0]).toBe(mine);
    expect(edited.notes()).toHaveLength(2);
    expect(counts(edited.notes().slice(1), ['after ten hours', 'at the start'])).toEqual([1, 0]);
    expect(deleted.notes()).toHaveLength(1);
    expect(counts(deleted.notes(), ['after ten hours', 'at the start'])).toEqual([1, 0]);
    for (const { notes } of [pinned, commented]) {
      expect(notes()).toHaveLength(1);
      expect(counts(notes(), ['at the start', 'after ten hours'])).toEqual([1, 1]);
    }

    clock.advance(begun + 24 * hour - minute - clock.ms());
    await plain.writes('at 23:59');
    await noted(here);
    clock.advance(begun + 24 * hour + minute - clock.ms());
    await plain.writes('at 24:01');
    await noted(here);
    expect(plain.notes()).toHaveLength(2);
    expect(counts(plain.notes().slice(0, 1), ['at the start', 'at 23:59', 'at 24:01'])).toEqual([1, 1, 0]);
    expect(counts(plain.notes().slice(1), ['at the start', 'at 23:59', 'at 24:01'])).toEqual([0, 0, 1]);
  });

  test.each(Object.entries(badAnswers))(
    'a call that is %s: each message stands once, in order, and no second note is made (H4, P-01, P-05)',
    async (name, fault) => {
      const here = await world({ database });
      const { sandbox, clock } = here;
      const { number } = await here.whatsapp();
      here.expectInLog(/job will be tried again/);

      sandbox.faults.next('pipedrive', { method: 'POST', path: /\/notes/ }, fault);
      const customer = await linkedCustomer(here, number, { name, first: 'one' });
      await until(async () => {
        clock.advance(5_000);
        await here.settled();
        return customer.notes().length > 0;
      }, `a note, although ${name}`);
      await noted(here);
      expect.soft(counts(customer.notes(), ['one']), name).toEqual([1]);

      sandbox.faults.next('pipedrive', { method: 'PUT', path: /\/notes\// }, fault);
      await customer.writes('two');
      await noted(here);
      await customer.writes('three');
      await until(async () => {
        clock.advance(5_000);
        await here.settled();
        const { body } = await here.admin.call<Conversation>('GET', `/api/conversations/${customer.conversation.id}`);
        return body.historyComplete;
      }, `a whole history, although ${name}`);
      expect.soft(customer.notes(), name).toHaveLength(1);
      expect.soft(counts(customer.notes(), ['one', 'two', 'three']), name).toEqual([1, 1, 1]);
      expect.soft(customer.notes()[0]!.words.replace(/[^]*\none\n[^]*\ntwo\n[^]*\nthree/, ''), name).toBe('');
    },
  );

  test('a burst costs one look and two writes, and a message says where it stands (H7, H9)', async () => {
    const here = await world({ database, environment: { NOTE_DEBOUNCE_MS: '60000', NOTE_MAX_WAIT_MS: '120000' } });
    const { sandbox, clock, admin } = here;
    const { number } = await here.whatsapp();
    const customer = await linkedCustomer(here, number);
    const before = sandbox.pipedrive.calls.length;
    const texts = Array.from({ length: 20 }, (_, index) => `message ${index}`);

    for (const text of texts) await customer.writes(text);
    await here.settled();
    const reading = async () => ({
      conversation: (await admin.call<Conversation>('GET', `/api/conversations/${customer.conversation.id}`)).body,
      messages: await admin.messages(customer.conversation.id),
    });
    const early = await reading();
    expect(early.conversation.historyComplete).toBe(false);
    expect(early.messages.map(({ inNote }) => inNote)).toEqual([true, ...texts.map(() => false)]);
    clock.advance(2 * minute);
    await noted(here);

    const calls = sandbox.pipedrive.calls.slice(before).filter(({ path }) => path.includes('/notes'));
    expect(calls.map(({ method }) => method)).toEqual(['GET', 'PUT']);
    expect(counts(customer.notes(), texts)).toEqual(texts.map(() => 1));
    const spent = (await here.app.metrics.tokensSpent.get()).values.map(({ labels, value }) => [labels.feature, value]);
    // The first note, then a look and a write; the person read when he was linked, and once more the names of all users.
    expect(Object.fromEntries(spent)).toMatchObject({ notes: 10 + 2 + 10, links: 1 + 20 });
    const late = await reading();
    expect(late.conversation.historyComplete).toBe(true);
    expect(late.messages.every(({ inNote }) => inNote)).toBe(true);
  });

  test('the first note holds the last day, at least ten and at most fifty; a full note goes on in the next (H1, H5)', async () => {
    const here = await world({ database });
    const { sandbox, clock, admin } = here;
    const { number } = await here.whatsapp();
    const talk = async (name: string, old: number, fresh: number) => {
      const customer = sandbox.twilio.customer(newNumber(), { name });
      for (let index = 0; index < old; index += 1) await customer.writes(`old ${index}`, { to: number });
      await here.settled();
      clock.advance(25 * hour);
      for (let index = 0; index < fresh; index += 1) await customer.writes(`new ${index}`, { to: number });
      await here.settled();
      admin.token = (await signedIn(here.url, sandbox, admin.pipedrive)).token;
      const person = sandbox.pipedrive.addPerson(here.company, { name });
      const conversation = await admin.conversationWith(name);
      await admin.links(conversation.id, { type: 'person', recordId: String(person.id) });
      await noted(here);
      const notes = sandbox.pipedrive.notesOf('person', person.id);
      return { notes, lines: wordsOf(notes.map(({ content }) => content).join('\n')).split('\n'), customer };
    };
    const held = (lines: readonly string[], prefix: string) => lines.filter((line) => line.startsWith(prefix)).length;

    const few = await talk('Few', 12, 3);
    expect([held(few.lines, 'old'), held(few.lines, 'new')]).toEqual([7, 3]);
    const many = await talk('Many', 2, 55);
    expect([held(many.lines, 'old'), held(many.lines, 'new')]).toEqual([0, 50]);
    expect(many.notes[0]!.content).toContain(`${here.url}/conversations/`);
    expect(many.notes[0]!.content).toContain('Unassigned');

    const long = 'åäö 👩‍👩‍👧 '.repeat(1_000);
    for (let index = 0; index < 6; index += 1) await many.customer.writes(`${index} ${long}`, { to: number });
    await noted(here);
    const person = sandbox.pipedrive.state.persons.find(({ name }) => name === 'Many')!;
    const notes = sandbox.pipedrive.notesOf('person', person.id);
    expect(notes.length).toBeGreaterThan(1);
    const all = wordsOf(notes.map(({ content }) => content).join('\n'));
    for (let index = 0; index < 6; index += 1) expect(all.split(`\n${index} åäö`).length, `${index}`).toBe(2);
    expect(all.split('👩‍👩‍👧').length - 1).toBe(6_000);
  });

  test('a note is the assignee’s, else the linker’s; a dead token falls through to the next (H8)', async () => {
    const here = await world({ database });
    const { sandbox, admin, rep } = here;
    const { number } = await here.whatsapp();
    const customer = await linkedCustomer(here, number, { by: admin });
    expect(customer.notes()[0]!.user_id).toBe(admin.pipedrive.id);
    const lastWriter = () =>
      sandbox.pipedrive.calls.findLast(({ method, path }) => method === 'PUT' && /notes/.test(path));

    await rep.call('PUT', `/api/conversations/${customer.conversation.id}/assignee`, { userId: rep.id });
    await customer.writes('to Sara');
    await noted(here);
    expect(lastWriter()!.userId).toBe(rep.pipedrive.id);
    here.expectInLog(/needs re-install/);
    sandbox.pipedrive.revokeTokens(rep.pipedrive);
    await customer.writes('to Erik');
    await noted(here);

    expect(lastWriter()!.userId).toBe(admin.pipedrive.id);
    expect(customer.notes()).toHaveLength(1);
    expect(counts(customer.notes(), ['to Sara', 'to Erik'])).toEqual([1, 1]);
  });

  test('few tokens left: notes wait and say so, messages do not; then each is written, who waits longest first (H7)', async () => {
    const here = await world({ database });
    const { sandbox, admin, clock } = here;
    const { number } = await here.whatsapp();
    const people = [];
    for (const name of ['Anna', 'Bo', 'Cia']) people.push(await linkedCustomer(here, number, { name }));
    const facts = here.company;
    facts.spentTokens = facts.dailyTokens - 500;
    // Somebody looks something up, and Pipedrive tells how little is left.
    await admin.call('GET', '/api/records?type=person&q=Anna');
    const before = sandbox.pipedrive.calls.length;
    for (const { writes, name } of people) {
      await writes(`${name} writes`);
      await noted(here);
    }
    await people[0]!.writes('Anna again');
    await noted(here);
    const me = (await admin.call<Me>('GET', '/api/me')).body.tokenBudget;
    expect(me).toMatchObject({ limit: facts.dailyTokens, notesWaiting: 3, reason: 'daily_budget_low' });
    expect(Date.parse(me.resetsAt!)).toBeGreaterThan(clock.ms());
    expect(sandbox.pipedrive.calls.length).toBe(before);
    expect((await admin.messages(people[2]!.conversation.id)).at(-1)?.text).toBe('Cia writes');

    facts.spentTokens = 0;
    clock.advance(hour + minute);
    await noted(here);
    clock.advance(2 * minute);
    await noted(here);
    const written = sandbox.pipedrive.calls.slice(before).filter(({ method }) => method === 'PUT');
    expect(written).toHaveLength(3);
    for (const { notes, name } of people) expect(counts(notes(), [`${name} writes`])).toEqual([1]);
    const first = sandbox.pipedrive.state.notes.find(({ id }) => written[0]!.path.endsWith(String(id)))!;
    expect(wordsOf(first.content)).toContain('Anna writes');
    expect((await admin.call<Me>('GET', '/api/me')).body.tokenBudget).toMatchObject({ notesWaiting: 0, reason: null });
  });

  test('the day’s tokens are used up: no call at all until there are new ones (P-04, P-05)', async () => {
    const here = await world({ database });
    const { sandbox, admin, clock, company } = here;
    const { number } = await here.whatsapp();
    const customer = await linkedCustomer(here, number);
    company.spentTokens = company.dailyTokens - 1;
    await customer.writes('waits');
    await noted(here);
    const before = sandbox.pipedrive.calls.length;
    clock.advance(20 * minute);
    await noted(here);
    expect(sandbox.pipedrive.calls.length).toBe(before);
    expect((await admin.call<Me>('GET', '/api/me')).body.tokenBudget).toMatchObject({
      remaining: 0,
      reason: 'daily_budget',
      notesWaiting: 1,
    });

    company.spentTokens = 0;
    clock.advance(hour);
    await noted(here);
    clock.advance(2 * minute);
    await noted(here);
    expect(counts(customer.notes(), ['waits'])).toEqual([1]);
  });

  test('a reply that fails after it was noted says so there; one that waits for its fate holds nothing up for long (H9, C7)', async () => {
    const here = await world({ database });
    const { sandbox, clock, admin } = here;
    const { number } = await here.whatsapp();
    const customer = await linkedCustomer(here, number);
    sandbox.twilio.options.autoDeliver = false;
    const sent = await admin.sends(customer.conversation.id, 'On its way');
    await until(async () => (await statusOf(sent.id)) === 'sent', 'the first tick');
    async function statusOf(id: string): Promise<Message['status'] | undefined> {
      return (await admin.messages(customer.conversation.id)).find((message) => message.id === id)?.status;
    }
    await noted(here);
    expect(counts(customer.notes(), ['On its way'])).toEqual([1]);
    expect(customer.notes()[0]!.words).not.toContain('Not sent');

    const atTwilio = [...sandbox.twilio.state.messages.values()].find(({ body }) => body === 'On its way')!;
    await sandbox.twilio.advance(atTwilio.sid, 'undelivered', 63_024);
    await until(async () => (await statusOf(sent.id)) === 'failed', 'the failure');
    await noted(here);
    expect(customer.notes()[0]!.words).toContain('Not sent');
    expect(customer.notes()).toHaveLength(1);

    sandbox.faults.next(
      'twilio',
      { method: 'POST', path: /Messages\.json/ },
      { kind: 'answer', status: 429, body: '' },
      3,
    );
    await admin.sends(customer.conversation.id, 'Comes late');
    await customer.writes('Meanwhile');
    await here.settled();
    clock.advance(6 * minute);
    await noted(here);
    expect(counts(customer.notes(), ['Meanwhile'])).toEqual([1]);
    await until(async () => {
      clock.advance(10_000);
      await here.settled();
      return customer.notes()[0]!.words.includes('Comes late');
    }, 'the late reply in the note');
    expect(counts(customer.notes(), ['Meanwhile', 'Comes late'])).toEqual([1, 1]);
  });

  test('once a day the notes are held against the messages: what was forgotten is written, what people did is theirs, a double is told (H3, H4, H9)', async () => {
    const here = await world({ database, environment: { NOTE_DEBOUNCE_MS: '60000', NOTE_MAX_WAIT_MS: '120000' } });
    const { sandbox, clock, rep, app } = here;
    const { number } = await here.whatsapp();
    const [forgotten, stuck, changed, doubled, sound] = [
      await linkedCustomer(here, number, { name: 'Forgotten' }),
      await linkedCustomer(here, number, { name: 'Stuck' }),
      await linkedCustomer(here, number, { name: 'Changed' }),
      await linkedCustomer(here, number, { name: 'Doubled' }),
      await linkedCustomer(here, number, { name: 'Sound' }),
    ];
    clock.advance(10 * hour);
    for (const { writes } of [forgotten, stuck]) await writes('was lost');
    await here.settled();
    // As a fault of ours, a copy that was put back, or an operator's hand might leave it.
    await app.db.transaction(async (tx) => {
      await tx.query(`delete from job where task = 'write-note'`);
      await tx.query('delete from noted_message where link_id = ? and confirmed = 0', [forgotten.link.id]);
      await tx.query('update link set history_complete = 1 where id = ?', [forgotten.link.id]);
    });
    sandbox.pipedrive.state.webhooksDown = true;
    const [note] = sandbox.pipedrive.notesOf('person', changed.person.id);
    sandbox.pipedrive.editNote(note!, '<b>Sara:</b> mine now', rep.pipedrive);
    const { state } = sandbox.pipedrive;
    state.notes.push({ ...sandbox.pipedrive.notesOf('person', doubled.person.id)[0]!, id: 99_999 });
    const before = state.calls.length;

    here.expectInLog(/the notes were held against the messages/);
    clock.advance(30 * hour);
    await noted(here);
    await noted(here);

    for (const { notes } of [forgotten, stuck]) expect(counts(notes(), ['was lost'])).toEqual([1]);
    const told = here.log.find(({ msg }) => msg === 'the notes were held against the messages');
    expect(told).toMatchObject({ level: 'warn', forgotten: 1, stuck: 1, changed: 1, doubled: 1 });
    const lists = state.calls.slice(before).filter(({ method, path }) => method === 'GET' && path.endsWith('/notes'));
    expect(lists).toHaveLength(1);
    const kept = await app.db.read((reader) =>
      reader.one('select content_hash from note where link_id = ?', [changed.link.id]),
    );
    expect(kept).toEqual({ contentHash: null });
    expect(sound.notes()).toHaveLength(1);

    // Another day, and nothing left to find.
    clock.advance(30 * hour);
    await noted(here);
    const again = here.log.filter(({ msg }) => msg === 'the notes were held against the messages').at(-1);
    expect(again).toMatchObject({ level: 'debug', forgotten: 0, stuck: 0, changed: 0, doubled: 0 });
  });
});
