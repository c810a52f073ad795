// What mails say and how they look: text and HTML of notices and of what admins must know. Pure.
// HTML as mail programs take it: tables, styles on the elements, dark colours where a program follows them.
import { text } from '../base/texts.ts';
import type { Trigger } from './decide.ts';

export interface MailWords {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

export interface MailLine {
  readonly words: string;
  readonly at: string;
}

export interface MailConversation {
  readonly contactName: string;
  readonly channelName: string;
  readonly trigger: Trigger;
  readonly byName: string | null;
  readonly newCount: number;
  /** The last lines, oldest first; empty when the company leaves content out. */
  readonly lines: readonly MailLine[];
  readonly replyUntil: string | null;
  readonly url: string;
}

export interface NoticeMail {
  readonly language: string;
  readonly timeZone: string;
  readonly now: string;
  readonly companyName: string;
  readonly conversations: readonly MailConversation[];
  /** How many more there are than are shown. */
  readonly more: number;
  readonly inboxUrl: string;
  readonly unsubscribeUrl: string;
}

/** One mail for all conversations that have news for a user. */
export function composeNoticeMail(mail: NoticeMail): MailWords {
  const say = sayIn(mail.language);
  const total = mail.conversations.length + mail.more;
  const subject = subjectOf(mail, total);
  const cards = mail.conversations.map((conversation) => cardOf(mail, conversation));
  const moreWords = mail.more > 0 ? say('mail.more', { n: mail.more }) : null;
  const footer = [
    say('mail.why', { company: oneLine(mail.companyName) }),
    { words: say('mail.settings'), url: mail.inboxUrl },
    { words: say('mail.unsubscribe'), url: mail.unsubscribeUrl },
  ] as const;
  return frame({
    language: mail.language,
    subject,
    heading: total > 1 ? subject : null,
    cards,
    after: moreWords,
    footer,
  });
}

export interface TroubleMail {
  readonly language: string;
  readonly title: string;
  readonly body: string;
  readonly action: { readonly words: string; readonly url: string };
  readonly companyName: string;
}

/** Something is wrong, or a colleague asks for something: what it is, and one thing to do. */
export function composeTroubleMail(mail: TroubleMail): MailWords {
  const title = oneLine(mail.title);
  const card: Card = { title, meta: null, left: null, lines: [], body: mail.body, action: mail.action };
  const footer = [text(mail.language, 'mail.whyAdmin', { company: oneLine(mail.companyName) })];
  return frame({ language: mail.language, subject: title, heading: null, cards: [card], after: null, footer });
}

interface Card {
  readonly title: string;
  readonly meta: string | null;
  readonly left: { readonly words: string; readonly soon: boolean } | null;
  readonly lines: readonly { readonly words: string; readonly time: string }[];
  readonly body: string | null;
  readonly action: { readonly words: string; readonly url: string };
}

type FooterPart = string | { readonly words: string; readonly url: string };

interface Frame {
  readonly language: string;
  readonly subject: string;
  readonly heading: string | null;
  readonly cards: readonly Card[];
  readonly after: string | null;
  readonly footer: readonly FooterPart[];
}

const sayIn =
  (language: string) =>
  (key: string, values: Record<string, string | number> = {}): string =>
    text(language, key, values);

function subjectOf(mail: NoticeMail, total: number): string {
  const say = sayIn(mail.language);
  const [first] = mail.conversations;
  if (total !== 1 || !first) return say('mail.subject.many', { n: total });
  const name = oneLine(first.contactName);
  if (first.trigger === 'assigned' || (first.byName !== null && first.newCount === 0)) {
    return say('mail.subject.assigned', { name, by: oneLine(first.byName ?? '') });
  }
  return say('mail.subject.messages', { n: first.newCount, name });
}

function cardOf(mail: NoticeMail, conversation: MailConversation): Card {
  const say = sayIn(mail.language);
  const given = conversation.byName === null ? null : say('notify.assignedBy', { name: oneLine(conversation.byName) });
  const news = conversation.newCount > 0 ? say('mail.new', { n: conversation.newCount }) : null;
  const place = conversation.trigger === 'unassigned' ? say('section.unassigned') : null;
  const facts = [oneLine(conversation.channelName), place, news].filter((part) => part !== null);
  return {
    title: oneLine(conversation.contactName),
    meta: facts.join(' · '),
    left: leftOf(mail, conversation.replyUntil),
    lines: conversation.lines.map(({ words, at }) => ({ words, time: clockOf(mail, at) })),
    body: given,
    action: { words: say('mail.open'), url: conversation.url },
  };
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** The time left to reply, in the words of the inbox; soon under four hours. */
function leftOf(mail: NoticeMail, replyUntil: string | null): Card['left'] {
  if (replyUntil === null) return null;
  const say = sayIn(mail.language);
  const left = Date.parse(replyUntil) - Date.parse(mail.now);
  if (left <= 0) return { words: say('mail.over'), soon: true };
  const hours = Math.floor(left / hourMs);
  const minutes = Math.floor((left % hourMs) / minuteMs);
  const time =
    hours >= 48
      ? say('time.days', { n: Math.floor(hours / 24) })
      : hours >= 4 || (hours > 0 && minutes === 0)
        ? say('time.hours', { h: hours })
        : hours > 0
          ? say('time.hoursMinutes', { h: hours, m: minutes })
          : say('time.minutes', { m: Math.max(1, minutes) });
  return { words: say('time.left', { time }), soon: hours < 4 };
}

/** With the day when it is not today. */
function clockOf(mail: NoticeMail, at: string): string {
  const locale = mail.language === 'sv' ? 'sv-SE' : 'en-GB';
  const day = (time: string): string =>
    new Intl.DateTimeFormat('en-CA', { timeZone: mail.timeZone, dateStyle: 'short' }).format(new Date(time));
  const isToday = day(at) === day(mail.now);
  return new Intl.DateTimeFormat(locale, {
    timeZone: mail.timeZone,
    hour: '2-digit',
    minute: '2-digit',
    ...(isToday ? {} : { day: 'numeric', month: 'short' }),
  }).format(new Date(at));
}

function frame(mail: Frame): MailWords {
  return { subject: mail.subject, text: textOf(mail), html: htmlOf(mail) };
}

function textOf(mail: Frame): string {
  const cards = mail.cards.map((card) =>
    [
      card.title,
      [card.meta, card.left?.words].filter(Boolean).join(' · '),
      card.body ?? '',
      ...card.lines.map(({ words, time }) => `  ${time}  ${words}`),
      `${card.action.words}: ${card.action.url}`,
    ]
      .filter((line) => line !== '')
      .join('\n'),
  );
  const footer = mail.footer.map((part) => (typeof part === 'string' ? part : `${part.words}: ${part.url}`)).join('\n');
  // "-- " begins what a mail program may fold away (RFC 3676, 4.3).
  return [
    ...(mail.heading === null ? [] : [mail.heading]),
    ...cards,
    ...(mail.after ? [mail.after] : []),
    `-- \n${footer}`,
  ]
    .join('\n\n')
    .concat('\n');
}

const sans = `font-family:Inter,system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif`;

function htmlOf(mail: Frame): string {
  const heading =
    mail.heading === null
      ? ''
      : `<h1 class="ink" style="margin:0 0 16px;font-size:20px;line-height:28px;font-weight:600;color:#1e2128">${escape(mail.heading)}</h1>`;
  const after =
    mail.after === null ? '' : `<p class="ink-2" style="margin:0 0 16px;color:#555a64">${escape(mail.after)}</p>`;
  return `<!doctype html>
<html lang="${mail.language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>${escape(mail.subject)}</title>
<style>
:root { color-scheme: light dark; supported-color-schemes: light dark; }
@media (prefers-color-scheme: dark) {
  .ground { background: #14161b !important; } .card { background: #1b1d24 !important; border-color: #32353f !important; }
  .ink { color: #e9eaee !important; } .ink-2 { color: #b0b4be !important; } .ink-3 { color: #9a9ea9 !important; }
  .said { background: #2a2d36 !important; color: #e9eaee !important; } .soon { color: #f0c266 !important; }
  .act { background: #287a45 !important; } .quiet { color: #82b1ff !important; }
}
</style>
</head>
<body class="ground" style="margin:0;padding:0;background:#f6f7f8">
<table role="presentation" class="ground" width="100%" cellpadding="0" cellspacing="0" border="0" style="background:#f6f7f8">
<tr><td align="center" style="padding:24px 12px">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="max-width:560px;${sans};font-size:14px;line-height:20px;text-align:left">
<tr><td>${heading}${mail.cards.map((card) => htmlCard(card, mail.heading === null ? 'h1' : 'h2')).join('\n')}${after}</td></tr>
<tr><td class="ink-3" style="padding:8px 4px;font-size:12px;line-height:18px;color:#676c77">${htmlFooter(mail.footer)}</td></tr>
</table>
</td></tr>
</table>
</body>
</html>
`;
}

function htmlCard(card: Card, level: 'h1' | 'h2'): string {
  const left =
    card.left === null
      ? ''
      : `<span class="${card.left.soon ? 'soon' : 'ink-2'}" style="color:${card.left.soon ? '#7d4b00' : '#555a64'};font-weight:500;white-space:nowrap">${escape(card.left.words)}</span>`;
  const meta = card.meta === null ? '' : escape(card.meta);
  const facts = [meta, left].filter((part) => part !== '').join(' · ');
  const lines = card.lines.map(
    ({ words, time }) =>
      `<tr><td style="padding:0 0 6px"><div class="said" dir="auto" style="display:inline-block;max-width:440px;padding:8px 12px;border-radius:12px;background:#f0f1f4;color:#1e2128;overflow-wrap:anywhere">${escape(words)}</div>` +
      `<div class="ink-3" style="padding:2px 4px 0;font-size:12px;line-height:16px;color:#676c77">${escape(time)}</div></td></tr>`,
  );
  return `<table role="presentation" class="card" width="100%" cellpadding="0" cellspacing="0" border="0" style="margin:0 0 16px;background:#ffffff;border:1px solid #e4e5e9;border-radius:8px;border-collapse:separate">
<tr><td style="padding:16px 20px 20px">
<${level} class="ink" dir="auto" style="margin:0;font-size:16px;line-height:24px;font-weight:600;color:#1e2128">${escape(card.title)}</${level}>
${facts === '' ? '' : `<p class="ink-2" style="margin:2px 0 0;font-size:13px;line-height:18px;color:#555a64">${facts}</p>`}
${card.body === null ? '' : `<p class="ink" style="margin:8px 0 0;color:#1e2128">${escape(card.body)}</p>`}
${lines.length === 0 ? '' : `<table role="presentation" cellpadding="0" cellspacing="0" border="0" style="margin:12px 0 0">${lines.join('')}</table>`}
<p style="margin:16px 0 0"><a class="act" href="${escape(card.action.url)}" style="display:inline-block;padding:8px 16px;border-radius:6px;background:#1f7a3d;color:#ffffff;font-weight:500;text-decoration:none">${escape(card.action.words)}</a></p>
</td></tr></table>`;
}

/** What it is about, and below it the links. */
function htmlFooter(parts: readonly FooterPart[]): string {
  const words = parts.flatMap((part) => (typeof part === 'string' ? [escape(part)] : []));
  const links = parts.flatMap((part) =>
    typeof part === 'string'
      ? []
      : [`<a class="quiet" href="${escape(part.url)}" style="color:#1d63c9">${escape(part.words)}</a>`],
  );
  return [words.join(' '), links.join(' · ')].filter((line) => line !== '').join('<br>\n');
}

/** Names stand in a header too, so they never bring a line of their own (CWE-93). */
function oneLine(value: string): string {
  return value
    .replace(/[\u0000-\u001f\u007f\u2028\u2029]+/g, ' ')
    .trim()
    .slice(0, 120);
}

function escape(value: string): string {
  return value.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
