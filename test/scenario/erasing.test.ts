// Erasure that fell due while the server was down (A3).
import { describe, expect, test } from 'vitest';
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
