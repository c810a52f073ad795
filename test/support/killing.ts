// The end of a process between two steps of its work, without the cost of a process: from one transaction on, the database is out
// of its reach, so that nothing more is remembered; what it has asked of others by then is done.
import type { Database } from '../../src/db/database.ts';
import type { World } from './world.ts';

/** Lets the app write so many more transactions, ends it there (or where it has nothing more to do), and starts it on what is left. */
export async function killAfter(here: World, transactions: number): Promise<void> {
  const dead = endAfter(here.app.db, transactions);
  await Promise.race([dead, here.settled().catch(() => undefined)]);
  await here.stop();
  await here.start();
  // What the dead one held is free when its leases have run out.
  here.clock.advance(31_000);
}

function endAfter(db: Database, transactions: number): Promise<void> {
  let left = transactions;
  return new Promise((resolve) => {
    for (const name of ['transaction', 'grouped', 'groupedAfter', 'insertGrouped'] as const) {
      const alive = db[name].bind(db) as (...given: unknown[]) => Promise<unknown>;
      const mortal = (...given: unknown[]): Promise<unknown> => {
        if (left > 0) {
          left -= 1;
          return alive(...given);
        }
        resolve();
        return Promise.reject(new Error('killed'));
      };
      Object.assign(db, { [name]: mortal });
    }
  });
}
