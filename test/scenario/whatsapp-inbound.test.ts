// What WhatsApp customers send, as a rep sees it (C5), and who they are (C11, C12).
import { describe, expect, test } from 'vitest';
import type { Conversation, Message } from '../../src/web/contract.ts';
import { bothDatabases, type DatabaseKind } from '../support/databases.ts';
import { pdfFile, pngFile, voiceFile } from '../support/files.ts';
import { until } from '../support/wait.ts';
import { newNumber, world } from '../support/world.ts';

async function connected(database: DatabaseKind = 'sqlite') {
  const here = await world({ database });
  const { number } = await here.whatsapp();
  const { twilio } = here.sandbox;
  return { ...here, here, number, twilio };
}

describe('each kind is shown as well as it can be (C5)', () => {
  const card = [
    'BEGIN:VCARD',
    'VERSION:3.0',
    'N:Persson;Åsa;;;',
    'FN:Åsa Persson',
    'item1.TEL;type=CELL;waid=46701740605:+46 70 174 06 05',
    'TEL;type=WORK:+46 8 123',
    ' 456 78',
    'END:VCARD',
    'BEGIN:VCARD',
    'VERSION:2.1',
    'FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:J=C3=B6rgen',
    'END:VCARD',
  ].join('\r\n');
  const media = (contentType: string, bytes: Buffer) => ({ media: [{ contentType, bytes }] });
  const rows: [string, string, object, (message: Message) => void][] = [
    [
      'a place with its name and address',
      '',
      { params: { Latitude: '48.8583701', Longitude: '2.2944813', Address: '5 Avenue Anatole France', Label: 'Here' } },
      (message) =>
        expect(message).toMatchObject({
          kind: 'location',
          details: {
            location: {
              latitude: 48.8583701,
              longitude: 2.2944813,
              name: 'Here',
              address: '5 Avenue Anatole France',
            },
          },
        }),
    ],
    [
      'a contact card with names and numbers',
      '',
      media('text/vcard', Buffer.from(card)),
      (message) =>
        expect(message).toMatchObject({
          kind: 'contact',
          text: 'Åsa Persson, +46 70 174 06 05, +46 8 123456 78\nJörgen',
          details: {
            contacts: [
              { name: 'Åsa Persson', phones: ['+46 70 174 06 05', '+46 8 123456 78'] },
              { name: 'Jörgen', phones: [] },
            ],
          },
          attachments: [{ name: 'document.vcf', contentType: 'text/vcard', state: 'ready' }],
        }),
    ],
    [
      'a voice message that can be played',
      '',
      media('audio/ogg', voiceFile().bytes),
      (message) =>
        expect(message).toMatchObject({
          kind: 'audio',
          attachments: [{ kind: 'audio', name: 'audio.ogg', contentType: 'audio/ogg; codecs=opus', state: 'ready' }],
        }),
    ],
    [
      'a document under its own name',
      'Offert 2026.pdf',
      { ...media('application/pdf', pdfFile().bytes), params: { MessageType: 'document' } },
      (message) =>
        expect(message).toMatchObject({
          kind: 'file',
          text: '',
          attachments: [{ name: 'Offert 2026.pdf', size: pdfFile().bytes.length }],
        }),
    ],
    [
      'a sticker',
      '',
      { ...media('image/webp', pngFile().bytes), params: { MessageType: 'sticker' } },
      (message) => expect(message).toMatchObject({ kind: 'sticker', attachments: [{ kind: 'sticker' }] }),
    ],
    [
      'several pictures with a text',
      'Both sides',
      {
        media: [
          { contentType: 'image/png', bytes: pngFile().bytes },
          { contentType: 'image/png', bytes: pngFile().bytes },
        ],
      },
      (message) =>
        expect(message).toMatchObject({
          kind: 'image',
          text: 'Both sides',
          attachments: [{ state: 'ready' }, { state: 'ready' }],
        }),
    ],
    [
      'a pressed button',
      'Call me back',
      { params: { MessageType: 'button', ButtonText: 'Call me back', ButtonPayload: 'call' } },
      (message) => expect(message).toMatchObject({ kind: 'postback', text: 'Call me back' }),
    ],
    [
      'a chosen row of a list',
      'Thursday 15:00',
      { params: { MessageType: 'interactive', ListId: 'thu', ListTitle: 'Thursday 15:00' } },
      (message) => expect(message).toMatchObject({ kind: 'postback', text: 'Thursday 15:00' }),
    ],
    [
      'a filled-in form',
      '',
      { params: { MessageType: 'interactive', FlowData: '{"flow_token":"x","size":"40 m²","pets":true}' } },
      (message) => expect(message).toMatchObject({ kind: 'postback', text: 'size: 40 m²\npets: true' }),
    ],
    [
      'a forwarded message',
      'Seen this?',
      { params: { Forwarded: 'true', FrequentlyForwarded: 'true' } },
      (message) => expect(message).toMatchObject({ kind: 'text', details: { forwarded: true } }),
    ],
    [
      'the ad that somebody came from',
      'Can I get more info?',
      {
        params: {
          ReferralSourceId: '1202',
          ReferralSourceType: 'ad',
          ReferralHeadline: 'Chat with us',
          ReferralBody: 'Heat pumps in two weeks',
          ReferralSourceUrl: 'https://fb.me/3x',
        },
      },
      (message) =>
        expect(message.details).toEqual({
          referral: {
            source: 'ad',
            title: 'Chat with us',
            body: 'Heat pumps in two weeks',
            url: 'https://fb.me/3x',
          },
        }),
    ],
    [
      'what Twilio cannot tell',
      '',
      { params: { MessageType: 'unsupported' } },
      (message) => expect(message).toMatchObject({ kind: 'unsupported', details: null }),
    ],
  ];

  test('places, cards, sound, files, stickers, buttons, lists, forms, forwarded, ads, unknown', async () => {
    const { here, rep, twilio, number } = await connected();
    for (const [index, [what, text, writing]] of rows.entries()) {
      await twilio.customer(newNumber(), { name: `${index} ${what}` }).writes(text, { to: number, ...writing });
    }
    await here.settled();

    for (const [index, [what, , , look]] of rows.entries()) {
      const conversation = await rep.conversationWith(`${index} ${what}`);
      const messages = await rep.messages(conversation.id);
      expect(messages, what).toHaveLength(1);
      look(messages[0]!);
    }
  });

  test('an answer to a message shows what it answers; a first name gives way to a new one', async () => {
    const { here, rep, twilio, number } = await connected();
    const customer = twilio.customer(newNumber(), { name: 'Amelia Hart' });
    await customer.writes('The blue or the red one?', { to: number });
    const conversation = await rep.conversationWith('Amelia Hart');
    await rep.sends(conversation.id, 'Which do you like?');
    const ours = await until(() => customer.inbox[0], 'our message');
    await here.settled();
    customer.person.name = 'Amelia Hart-Berg';

    await customer.writes('The blue', { to: number, params: { OriginalRepliedMessageSid: ours.sid } });
    const renamed = await rep.conversationWith('Amelia Hart-Berg');

    expect(renamed.id).toBe(conversation.id);
    expect((await rep.messages(conversation.id)).at(-1)).toMatchObject({
      text: 'The blue',
      replyTo: { preview: 'Which do you like?' },
    });
  });
});

describe.each(bothDatabases)('on %s', (database) => {
  const answerTo = async (here: Awaited<ReturnType<typeof connected>>, conversation: Conversation, text: string) => {
    await here.rep.sends(conversation.id, text);
    return until(
      () =>
        [...here.twilio.state.messages.values()].find(
          ({ body, direction }) => body === text && direction !== 'inbound',
        ),
      'the answer',
    );
  };

  test.each([
    ['+5511987654321', '+551187654321'],
    ['+5215512345678', '+525512345678'],
    ['+5491123456789', '+541123456789'],
  ])('%s and %s are one contact, answered at exactly the address that wrote last (C11)', async (first, second) => {
    const here = await connected(database);
    await here.twilio.customer(first, { name: 'Lia', bsuid: null }).writes('Oi', { to: here.number });
    const conversation = await here.rep.conversationWith('Lia');
    expect((await answerTo(here, conversation, 'one')).to).toBe(`whatsapp:${first}`);

    await here.twilio.customer(second, { name: 'Lia', bsuid: null }).writes('Oi de novo', { to: here.number });
    await until(async () => (await here.rep.messages(conversation.id)).length === 3, 'the same thread');

    expect((await answerTo(here, conversation, 'two')).to).toBe(`whatsapp:${second}`);
    expect(await here.rep.section('all')).toHaveLength(1);
    await here.settled();
  });

  test('who hides the number is answered by his id, and becomes one with the contact of his number when both come together (C11)', async () => {
    const here = await connected(database);
    const { rep, admin, twilio, number } = here;
    const phone = newNumber();
    await twilio.customer(phone, { name: 'Lia by number', bsuid: null }).writes('first', { to: number });
    const known = await rep.conversationWith('Lia by number');
    await rep.call('PUT', `/api/conversations/${known.id}/read`, { through: (await rep.messages(known.id))[0]!.id });
    const hidden = twilio.customer('BR.1A2B3C4D5E6F7A8B9C0D', { name: 'lia.design' });
    await hidden.writes('second', { to: number });
    const secret = await rep.conversationWith('lia.design');
    expect((await answerTo(here, secret, 'to the id')).to).toBe('whatsapp:BR.1A2B3C4D5E6F7A8B9C0D');
    await admin.links(secret.id, { type: 'person', create: { name: 'Lia' }, idempotencyKey: 'join-contacts-1' });
    await here.settled();

    twilio.state.people.find(({ address }) => address === `whatsapp:${phone}`)!.userId = hidden.address;
    await twilio.customer(phone, { name: 'Lia' }).writes('third', { to: number });
    const joined = await rep.conversationWith('Lia');
    await here.settled();

    expect(joined).toMatchObject({ id: known.id, unreadCount: 2, links: [{ type: 'person', title: 'Lia' }] });
    expect(joined.contact.identities.map(({ type, value }) => `${type} ${value}`).sort()).toEqual([
      `phone ${phone}`,
      'whatsapp_user BR.1A2B3C4D5E6F7A8B9C0D',
    ]);
    expect((await rep.messages(joined.id)).map(({ text }) => text)).toEqual(['first', 'second', 'to the id', 'third']);
    expect(await rep.section('all')).toHaveLength(1);
    expect((await rep.call('GET', `/api/conversations/${secret.id}`)).status).toBe(404);
    expect((await answerTo(here, joined, 'to the number')).to).toBe(`whatsapp:${phone}`);
    await until(
      () => [...here.sandbox.pipedrive.state.notes.values()].some(({ content }) => content.includes('third')),
      'the note that goes on',
    );
  });

  test('first messages of one person in the same moment, by number and by id, make one conversation (C12)', async () => {
    const here = await connected(database);
    const { rep, twilio, number } = here;
    const customer = twilio.customer(newNumber(), { name: 'Both at once', bsuid: 'SE.77' });
    const hidden = twilio.customer('SE.77', { name: 'Both at once' });

    await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        (index % 2 ? customer : hidden).writes(`message ${index}`, {
          to: number,
          ...(index % 2 ? {} : { params: { From: 'whatsapp:SE.77' } }),
        }),
      ),
    );
    await here.settled();

    const conversations = await rep.section('all');
    expect(conversations).toHaveLength(1);
    expect(await rep.messages(conversations[0]!.id)).toHaveLength(8);
  });
});
