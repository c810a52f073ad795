// The main job, end to end over HTTP, on both databases: a customer writes, a rep sees, answers, links; the note stands.
import { describe, expect, test } from 'vitest';
import { bothDatabases } from '../support/databases.ts';
import { until } from '../support/wait.ts';
import { newNumber, world } from '../support/world.ts';

describe.each(bothDatabases)('on %s', (database) => {
  test('a WhatsApp customer writes, a rep answers and links a deal, and the note stands on it (C4, C7, L1, H1, H2)', async () => {
    const { admin, rep, sandbox, whatsapp, settled, company } = await world({ database });
    const { number } = await whatsapp();
    const customer = sandbox.twilio.customer(newNumber(), { name: 'Hannah Whitcombe-Sjögren' });

    await customer.writes('Is the blue one in stock? ☀️', { to: number });
    const conversation = await rep.conversationWith('Hannah Whitcombe-Sjögren');

    expect(conversation).toMatchObject({
      section: 'unassigned',
      assignee: null,
      unreadCount: 1,
      replyWindowOpen: true,
      lastMessage: { direction: 'inbound', preview: 'Is the blue one in stock? ☀️' },
    });

    const sent = await rep.sends(conversation.id, 'Yes, it is. Shall I put it aside?');
    expect(sent.status).toBe('queued');
    await until(async () => customer.inbox.length === 1, 'the answer on the phone');
    expect(customer.inbox[0]!.body).toBe('Yes, it is. Shall I put it aside?');
    await until(async () => (await rep.messages(conversation.id)).at(-1)?.status === 'delivered', 'the second tick');
    await customer.reads();
    await until(async () => (await rep.messages(conversation.id)).at(-1)?.status === 'read', 'the reading');

    const links = await admin.links(conversation.id, {
      type: 'deal',
      create: { title: 'Solar roof, Björkvägen 12' },
      idempotencyKey: 'key-0001-deal',
    });
    expect(links.map((link) => link.type)).toEqual(['person', 'deal']);
    const deal = sandbox.pipedrive.state.deals.find(({ title }) => title === 'Solar roof, Björkvägen 12')!;
    expect(deal).toMatchObject({ companyId: company.id, owner_id: admin.pipedrive.id });
    const note = await until(() => sandbox.pipedrive.notesOf('deal', deal.id)[0], 'the note');
    expect(note.content).toContain('Is the blue one in stock? ☀️');
    expect(note.content).toContain('Shall I put it aside?');

    await customer.writes('Yes please <b>now</b>', { to: number });
    await until(
      () => sandbox.pipedrive.notesOf('deal', deal.id)[0]!.content.includes('Yes please'),
      'the note growing',
    );
    expect(sandbox.pipedrive.notesOf('deal', deal.id)).toHaveLength(1);
    await until(
      async () => (await rep.conversationWith('Hannah Whitcombe-Sjögren')).historyComplete,
      'a complete history',
    );
    await settled();
  });

  test('a Messenger customer writes, gets a name and an answer, and its echo is no second message (C5, C10)', async () => {
    const { rep, sandbox, messenger, settled } = await world({ database });
    const { page } = await messenger();
    const customer = sandbox.meta.customer({ name: 'Per-Olof Åkerlund' });

    await customer.writes('Går det att få fakturan delad på två?', { to: page });
    const conversation = await rep.conversationWith('Per-Olof Åkerlund');
    await rep.sends(conversation.id, 'Ja, det går bra.');
    await until(() => customer.inbox.length === 1, 'the answer on the phone');
    await settled();
    await customer.reads(page);
    await until(async () => (await rep.messages(conversation.id)).at(-1)?.status === 'read', 'the reading');

    const messages = await rep.messages(conversation.id);
    expect(messages.map(({ direction, text }) => [direction, text])).toEqual([
      ['inbound', 'Går det att få fakturan delad på två?'],
      ['outbound', 'Ja, det går bra.'],
    ]);
  });
});
