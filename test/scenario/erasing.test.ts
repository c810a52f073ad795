// Taking data away and erasing it: what fell due while the server was down (A3), one contact, what is old (O5).
import { describe, expect, test } from 'vitest';
import { picture, pictureNames } from '../../sandbox/pictures.ts';
import { companyExport, contactExport } from '../../src/web/contract.ts';
import { bothDatabases } from '../support/databases.ts';
import { until } from '../support/wait.ts';
import { newNumber, world } from '../support/world.ts';

describe.each(bothDatabases)('on %s', (database) => {
  test('what fell due is erased at the next start, not an hour later (A3)', async () => {
    const here = await world({ database, environment: { ERASE_AFTER_DAYS: '0' } });
    const { number } = await here.whatsapp();
    await here.sandbox.twilio.customer(newNumber(), { name: 'Hannah' }).writes('Hello', { to: number });
    await here.settled();
    for (const user of [here.rep, here.admin]) await here.sandbox.pipedrive.uninstall(user.pipedrive);
    const companies = () => here.app.db.read((reader) => reader.query('select id from company'));
    expect(await companies()).toHaveLength(1);

    await here.stop();
    await here.start();

    await until(async () => (await companies()).length === 0, 'the erasure');
  });
});

const dayMs = 86_400_000;

describe.each(bothDatabases)('on %s', (database) => {
  test('a company’s data can be taken away, one contact erased, and what is old goes by itself (O5, O7)', async () => {
    const here = await world({ database });
    const { admin, rep, sandbox } = here;
    const { number } = await here.whatsapp();
    const other = await here.install(sandbox.pipedrive.addUser(here.company, { name: 'Olle Strand', admin: true }));
    const hidden = await here.whatsapp(other, 'private');
    const formula = sandbox.twilio.customer(newNumber(), { name: '=HYPERLINK("http://evil")' });
    await formula.writes('+1, "quoted"\nÅÄÖ', { to: number });
    await formula.writes('a picture', { to: number, media: [await picture(pictureNames[0]!)] });
    await sandbox.twilio.customer(newNumber(), { name: 'Hidden' }).writes('canary', { to: hidden.number });
    const { contact } = await rep.conversationWith('=HYPERLINK("http://evil")');
    const theirs = await other.conversationWith('Hidden');
    await here.settled();

    const json = await admin.call('GET', '/api/export?format=json');
    const csv = (await admin.call<string>('GET', '/api/export?format=csv')).body;
    const one = await admin.call('GET', `/api/contacts/${contact.id}`);

    const exported = companyExport.parse(json.body);
    expect(exported.conversations.map((found) => found.messages.map(({ text }) => text))).toEqual([
      ['+1, "quoted"\nÅÄÖ', 'a picture'],
    ]);
    expect(contactExport.parse(one.body).conversations).toEqual(exported.conversations);
    const link = exported.conversations[0]!.messages[1]!.attachments[0]!.url!;
    expect((await fetch(link)).status).toBe(200);
    expect(csv).toContain(`,"'=HYPERLINK(""http://evil"")",`);
    expect(csv).toContain(`,"'+1, ""quoted""\nÅÄÖ",`);
    expect(csv).not.toMatch(/(^|,|")[=+@]/m);
    for (const path of ['/api/export', `/api/contacts/${contact.id}`])
      expect((await rep.call('GET', path)).status).toBe(403);
    for (const method of ['GET', 'DELETE'])
      expect((await admin.call(method, `/api/contacts/${theirs.contact.id}`)).status).toBe(404);

    expect((await admin.call('DELETE', `/api/contacts/${contact.id}`)).status).toBe(204);
    await here.settled();

    expect((await fetch(link)).status).toBe(404);
    expect((await admin.call('GET', `/api/contacts/${contact.id}`)).status).toBe(404);
    expect(await admin.section('all')).toEqual([]);
    const rows = (sql: string) => here.app.db.read((reader) => reader.query(sql));
    for (const table of ['contact', 'message', 'conversation'])
      expect(await rows(`select id from ${table}`)).toHaveLength(1);
    expect(await rows('select number from search_entry')).toHaveLength(2);
    expect(await rows('select media_key from attachment')).toEqual([]);
    const acts = (await rows('select act from audit_entry order by id')).map(({ act }) => act);
    expect(acts.slice(-4)).toEqual(['exported', 'exported', 'contact_exported', 'contact_erased']);

    const goesOn = sandbox.twilio.customer(newNumber(), { name: 'Goes On' });
    await goesOn.writes('old words', { to: number });
    await here.settled();
    expect((await admin.call('PATCH', '/api/settings', { retentionDays: 30 })).status).toBe(200);
    here.clock.advance(29 * dayMs);
    await goesOn.writes('new words', { to: number });
    await here.settled();
    here.clock.advance(2 * dayMs);
    await here.settled();

    expect(await rows('select text from message')).toEqual([{ text: 'new words' }]);
    expect(await rows('select name from contact')).toEqual([{ name: 'Goes On' }]);
    expect(await rows('select number from search_entry')).toHaveLength(2);
  });
});
