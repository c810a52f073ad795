// The story the demo tells: Nordtak Solar puts panels on roofs, and its customers write on both channels.
import type { MetaPage } from '../meta.ts';
import { picture, portrait } from '../pictures.ts';
import type { Company } from '../pipedrive/state.ts';
import type { Sandbox } from '../sandbox.ts';
import type { TwilioSender } from '../twilio.ts';
import { answer, assign, chatOn, close, link, settle, type Desk } from './desk.ts';
import { installFor, type Rep } from './rep.ts';

export interface Story {
  company: Company;
  erik: Rep;
  sara: Rep;
  /** The deal whose page shows a note already. */
  dealId: number;
}

/** Moves the stand-ins' clock back, so that a message can be from yesterday. */
export type TimeShift = (ago: { hours?: number; minutes?: number }) => void;

interface Stage extends Desk {
  shift: TimeShift;
  company: Company;
  sara: Rep;
  sender: TwilioSender;
  page: MetaPage;
}

export async function tellStory(sandbox: Sandbox, shift: TimeShift): Promise<Story> {
  const company = sandbox.pipedrive.addCompany({ name: 'Nordtak Solar', domain: 'nordtak' });
  const erikUser = sandbox.pipedrive.addUser(company, { name: 'Erik Lund', admin: true, language: 'en' });
  const saraUser = sandbox.pipedrive.addUser(company, { name: 'Sara Holm', language: 'sv' });
  const erik = await installFor(sandbox, erikUser);
  const sara = await installFor(sandbox, saraUser);
  const [sender, page] = [await connectWhatsapp(sandbox, erik), await connectMessenger(sandbox, erik)];
  const stage: Stage = { sandbox, shift, company, erik, sara, sender, page, found: new Map() };

  // From the oldest conversation to the newest: what was said last stands on top.
  await ewaAndTomasz(stage);
  await johan(stage);
  await kristina(stage);
  await maria(stage);
  await gustav(stage);
  await perOlof(stage);
  await nameless(stage);
  await aisha(stage);
  await linnea(stage);
  const dealId = await hannah(stage);
  return { company, erik, sara, dealId };
}

async function connectWhatsapp(sandbox: Sandbox, owner: Rep): Promise<TwilioSender> {
  const account = sandbox.twilio.addAccount({ name: 'Nordtak Solar AB' });
  const sender = sandbox.twilio.addSender(account, '+46317880100', { name: 'Nordtak Solar' });
  await owner.call('POST', '/api/channels/whatsapp', {
    accountSid: account.sid,
    authToken: account.authToken,
    sender: '+46317880100',
    name: 'WhatsApp Gothenburg',
    visibility: 'shared',
  });
  sandbox.twilio.addTemplate(account, {
    name: 'pick_up_where_we_left_off',
    body: 'Hi {{1}}, is {{2}} settled? We are happy to go on when you are. /{{3}}, Nordtak',
    variables: { 1: 'Johan', 2: 'the building permit', 3: 'Erik' },
  });
  sandbox.twilio.addTemplate(account, {
    name: 'quote_reminder',
    body: 'Hi {{1}}, your quote {{2}} is valid until {{3}}. Shall we go ahead?',
    variables: { 1: 'Gustav', 2: '2291', 3: 'Friday' },
  });
  sandbox.twilio.addTemplate(account, {
    name: 'booking_confirmed',
    language: 'sv',
    body: 'Vi ser fram emot att ses {{1}}. Svara här om något ändras.',
    variables: { 1: 'tisdag kl. 9' },
  });
  for (const [name, text] of [
    ['Site visit', 'Hi {contact}, would a site visit on Tuesday at 8 suit you? /{user}'],
    ['Quote sent', 'Hi {contact}, the quote is in your mailbox. Both options are in it. /{user}'],
    ['Tack för bilden', 'Tack för bilden, {contact}! Jag räknar på det och hör av mig i dag. /{user}'],
  ])
    await owner.call('POST', '/api/saved-replies', { name, text, scope: 'company' });
  return sender;
}

async function connectMessenger(sandbox: Sandbox, owner: Rep): Promise<MetaPage> {
  const person = sandbox.meta.addPerson({ name: owner.user.name });
  const page = sandbox.meta.addPage({ name: 'Nordtak Sverige', ownedBy: person, category: 'Roofing service' });
  sandbox.meta.addPage({ name: 'Nordtak Jobb', ownedBy: person, category: 'Employment agency' });
  const { login, authorizeUrl } = await owner.call<{ login: string; authorizeUrl: string }>(
    'POST',
    '/api/channels/messenger/login',
  );
  await fetch(sandbox.meta.authorize(person, authorizeUrl));
  await owner.call('POST', '/api/channels/messenger', { login, pageIds: [page.id], visibility: 'shared' });
  return page;
}

async function hannah(stage: Stage): Promise<number> {
  const { sandbox, company, erik, sender: to } = stage;
  const person = sandbox.pipedrive.addPerson(company, {
    name: 'Hannah Whitcombe-Sjögren',
    // Written as people write it, so that the suggestion has something to compare.
    phone: '073-418 55 20',
    email: 'hannah.ws@posten.example',
    owner: erik.user,
  });
  const deal = sandbox.pipedrive.addDeal(company, {
    title: 'Solar roof, Björkvägen 12',
    person,
    value: 284_000,
    stage: 3,
    owner: erik.user,
  });
  const customer = sandbox.twilio.customer('+46734185520', { name: 'Hannah Whitcombe-Sjögren' });
  const chat = chatOn(customer, to);
  await customer.writes('Hi Erik! Thanks for coming by. Could you send both options for the roof?', { to });
  await customer.sendsPhoto(await picture('panels'), {
    to,
    caption: 'The neighbours have this. Can ours look the same?',
  });
  await assign(stage, chat, erik);
  await answer(stage, chat, erik, 'Yes, the same panels fit. I will send the quote tomorrow.');
  await customer.reads(to);
  await link(stage, chat, erik, { person, deal });
  await answer(stage, chat, erik, 'Both options. B has the battery, so it qualifies for the green tax credit.');
  await customer.reads(to);
  await customer.writes('Option B looks great! Can you start before midsummer?', { to });
  await settle(stage, chat);
  return deal.id;
}

async function linnea(stage: Stage): Promise<void> {
  const { sandbox, company, erik, page: to } = stage;
  const person = sandbox.pipedrive.addPerson(company, {
    name: 'Linnea Holmqvist',
    phone: '+46 70 291 44 87',
    email: 'linnea.holmqvist@posten.example',
    owner: erik.user,
  });
  const deal = sandbox.pipedrive.addDeal(company, {
    title: 'Takomläggning Holmqvist',
    person,
    value: 186_000,
    stage: 2,
    owner: erik.user,
  });
  const customer = sandbox.meta.customer({ name: 'Linnea Holmqvist', picture: await portrait('Linnea Holmqvist') });
  const chat = chatOn(customer, to);
  await customer.writes('Hej! Vi har äntligen bestämt oss för taket. Så här ser det ut i dag.', { to });
  await customer.sendsPhoto(await picture('roof'), { to });
  await assign(stage, chat, erik);
  await answer(stage, chat, erik, 'Tack för bilden! Är det råspont under, eller bara läkt?');
  await answer(stage, chat, erik, 'Då mäter jag på tisdag klockan nio. Det tar ungefär 40 minuter.');
  await customer.reads(to);
  await link(stage, chat, erik, { person, deal });
  await customer.writes('Hej! Klockan nio blir bra. Nyckeln ligger hos grannen, Siv på nr 14.', { to });
  await customer.writes('Perfekt, då kör vi på tisdag!', { to });
  await settle(stage, chat);
}

async function aisha(stage: Stage): Promise<void> {
  const { sandbox, company, sender: to, erik } = stage;
  const person = sandbox.pipedrive.addPerson(company, {
    name: 'Aisha Rahman',
    phone: '+46 73 902 11 36',
    owner: erik.user,
  });
  sandbox.pipedrive.addDeal(company, {
    title: 'Home charger 11 kW',
    person,
    value: 18_900,
    stage: 1,
    owner: erik.user,
  });
  const customer = sandbox.twilio.customer('+46739021136', { name: 'Aisha Rahman' });
  const chat = chatOn(customer, to);
  await customer.writes('Hello! It rains in beside the chimney. Is that something you repair?', { to });
  await customer.sendsPhoto(await picture('chimney'), { to, caption: 'The chimney side' });
  await settle(stage, chat);
}

async function nameless(stage: Stage): Promise<void> {
  const { sandbox, sender: to } = stage;
  const customer = sandbox.twilio.customer('+46701740622', { name: '+46 70 174 06 22' });
  await customer.writes('Hej, jobbar ni i Kungälv också? Vi bygger garage.', { to });
  await customer.sendsPhoto(await picture('sketch'), { to });
  await settle(stage, chatOn(customer, to));
}

async function perOlof(stage: Stage): Promise<void> {
  const { sandbox, shift, company, erik, page: to } = stage;
  const person = sandbox.pipedrive.addPerson(company, { name: 'Per-Olof Åkerlund', owner: erik.user });
  const deal = sandbox.pipedrive.addDeal(company, {
    title: 'Takbyte Villa Lund',
    person,
    value: 412_000,
    stage: 5,
    owner: erik.user,
  });
  const customer = sandbox.meta.customer({ name: 'Per-Olof Åkerlund', picture: await portrait('Per-Olof Åkerlund') });
  const chat = chatOn(customer, to);
  shift({ hours: 23, minutes: 16 });
  await customer.writes('Hej, fakturan kom idag. Tack för ett fint jobb!', { to });
  shift({ hours: 23, minutes: 14 });
  await customer.writes('Går det att få fakturan delad på två?', { to });
  shift({});
  await assign(stage, chat, erik);
  await link(stage, chat, erik, { person, deal });
}

/** Wrote too long ago for free words: only a template may go out. */
async function gustav(stage: Stage): Promise<void> {
  const { sandbox, shift, erik, sender: to } = stage;
  const customer = sandbox.twilio.customer('+46704417720', { name: 'Gustav Ek' });
  const chat = chatOn(customer, to);
  shift({ hours: 26 });
  await customer.writes('Vad kostar bergvärme till ett hus på 160 kvadrat?', { to });
  shift({});
  await assign(stage, chat, erik);
}

async function maria(stage: Stage): Promise<void> {
  const { sandbox, company, sara, sender: to } = stage;
  const person = sandbox.pipedrive.addPerson(company, {
    name: 'Maria Öberg-Christiansen',
    phone: '+46 76 118 73 05',
    owner: sara.user,
  });
  sandbox.pipedrive.addLead(company, { title: 'Batteri till befintlig anläggning', person, owner: sara.user });
  const customer = sandbox.twilio.customer('+46761187305', { name: 'Maria Öberg-Christiansen' });
  const chat = chatOn(customer, to);
  await customer.writes('Hej! Vi har redan paneler och undrar över batteri. Här är elskåpet.', { to });
  await customer.sendsPhoto(await picture('meter'), { to });
  await assign(stage, chat, sara);
  await answer(
    stage,
    chat,
    sara,
    'Hej Maria! Det finns plats för ett batteri på 10 kWh. Jag räknar på det i eftermiddag.',
  );
  await customer.reads(to);
}

async function kristina(stage: Stage): Promise<void> {
  const { sandbox, shift, company, sara, page: to } = stage;
  const person = sandbox.pipedrive.addPerson(company, {
    name: 'Kristina Sandell',
    email: 'styrelsen@solglantan.example',
    owner: sara.user,
  });
  const deal = sandbox.pipedrive.addDeal(company, {
    title: 'Laddstolpar × 12',
    person,
    value: 338_000,
    stage: 4,
    owner: sara.user,
  });
  const customer = sandbox.meta.customer({ name: 'BRF Solgläntan, Kristina' });
  const chat = chatOn(customer, to);
  shift({ hours: 2 });
  await customer.writes('Hej! Vad kostar tolv laddstolpar på gästparkeringen ungefär?', { to });
  shift({ hours: 1, minutes: 50 });
  await sandbox.meta.pageInbox.sends(to, customer, 'Hej Kristina! Räkna med 28 000 kr per plats, före bidrag.');
  shift({ hours: 1, minutes: 40 });
  await customer.writes('Tack! Jag tar med det till styrelsen på torsdag.', { to });
  shift({});
  await assign(stage, chat, sara);
  await link(stage, chat, sara, { person, deal });
}

async function johan(stage: Stage): Promise<void> {
  const { sandbox, company, erik, sender: to } = stage;
  const person = sandbox.pipedrive.addPerson(company, {
    name: 'Johan Mattsson',
    phone: '+46 70 833 29 14',
    owner: erik.user,
  });
  const deal = sandbox.pipedrive.addDeal(company, {
    title: 'Bygglov, Mattsson',
    person,
    value: 96_000,
    stage: 1,
    owner: erik.user,
  });
  const customer = sandbox.twilio.customer('+46708332914', { name: 'Johan Mattsson' });
  const chat = chatOn(customer, to);
  await customer.writes('Bygglovet dröjer, jag hör av mig när det är klart.', { to });
  await assign(stage, chat, erik);
  await link(stage, chat, erik, { person, deal });
  await answer(stage, chat, erik, 'Ingen fara, vi har plats hela hösten.');
  await customer.reads(to);
  await customer.writes('Ok, hör av dig när bygglovet är klart.', { to });
  await close(stage, chat, erik);
}

async function ewaAndTomasz(stage: Stage): Promise<void> {
  const { sandbox, company, sara, page: to } = stage;
  const person = sandbox.pipedrive.addPerson(company, {
    name: 'Ewa Kowalczyk',
    email: 'ewa.kowalczyk@posten.example',
    owner: sara.user,
  });
  const deal = sandbox.pipedrive.addDeal(company, {
    title: 'Altan, Kowalczyk',
    person,
    value: 74_500,
    stage: 3,
    owner: sara.user,
  });
  const customer = sandbox.meta.customer({ name: 'Ewa & Tomasz Kowalczyk', picture: await portrait('Ewa & Tomasz') });
  const chat = chatOn(customer, to);
  await customer.writes('Hej! Hur länge gäller offerten för altanen?', { to });
  await assign(stage, chat, sara);
  await link(stage, chat, sara, { person, deal });
  await answer(stage, chat, sara, 'Offerten gäller till den 30:e.');
  await customer.reads(to);
  await close(stage, chat, sara);
}
