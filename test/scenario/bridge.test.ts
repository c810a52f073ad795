// Into Leads Inbox where the Channels API answers (B1 to B3): the stand-in's inbox knows only what comes over the manifest's
// endpoints and the API, and complains about every field that is not as documented.
import { describe, expect, test } from 'vitest';
import { bothDatabases } from '../support/databases.ts';
import { bridged } from '../support/leads-inbox.ts';
import { until } from '../support/wait.ts';
import { newNumber } from '../support/world.ts';

describe.each(bothDatabases)('on %s', (database) => {
  test('history appears on connect, a message arrives, an answer typed there reaches the customer, ticks follow (B1, B2, B3)', async () => {
    const { sandbox, rep, whatsapp, inbox, settled } = await bridged({ database });
    const { number, channel } = await whatsapp();
    const shown = await until(() => inbox.channelOf(channel.id), 'the channel in Leads Inbox');
    const customer = sandbox.twilio.customer(newNumber(), { name: 'Hannah Whitcombe-Sjögren' });

    await customer.writes('Is the blue one in stock? ☀️', { to: number });
    const there = await until(() => shown.conversations[0], 'the conversation there');
    await until(() => there.messages[0], 'the message there');
    expect(there.messages[0]).toMatchObject({ message: 'Is the blue one in stock? ☀️', status: 'delivered' });
    expect(there.participants.map(({ name, role }) => [name, role])).toEqual([
      ['WhatsApp Gothenburg', 'source_user'],
      ['Hannah Whitcombe-Sjögren', 'end_user'],
    ]);

    const written = await inbox.write(shown, there.id, { text: 'Yes, it is. Shall I put it aside?' });
    expect(written).toMatchObject({ status: 200 });
    await until(() => customer.inbox.length === 1, 'the answer on the phone');
    expect(customer.inbox[0]!.body).toBe('Yes, it is. Shall I put it aside?');
    await customer.reads();
    await until(() => there.messages.at(-1)?.status === 'read', 'the ticks there');
    const messages = await rep.messages(there.id);
    expect(messages.at(-1)).toMatchObject({ id: written.id, direction: 'outbound' });

    await rep.sends(there.id, 'It is on the shelf with your name on it.');
    await until(() => there.messages.at(-1)?.message.includes('on the shelf'), 'our own answer there');
    await settled();
    expect(inbox.problems).toEqual([]);
  });
});
