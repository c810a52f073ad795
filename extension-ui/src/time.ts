// Times as people read them: reply time left, clock times in lists, days in threads. Pure.
import { locale, t } from './texts.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

export type Urgency = 'calm' | 'soon' | 'last' | 'over';

export interface TimeLeft {
  readonly urgency: Urgency;
  /** Short words for rows and headers, e.g. `2 h 10 min`; empty when over. */
  readonly words: string;
  /** The same said in full, for screen readers. */
  readonly long: string;
  /** Share of the window that is left, 0 to 1. */
  readonly share: number;
}

export function timeLeft(replyUntil: string | null, windowMs: number, now: number): TimeLeft {
  const left = replyUntil === null ? 0 : Date.parse(replyUntil) - now;
  if (left <= 0) return { urgency: 'over', words: '', long: '', share: 0 };
  const share = Math.min(1, left / windowMs);
  const hours = Math.floor(left / hour);
  const minutes = Math.max(1, Math.floor((left % hour) / minute));
  if (left >= 2 * day)
    return {
      urgency: 'calm',
      words: t('time.days', { n: Math.floor(left / day) }),
      long: unit(Math.floor(left / day), 'day'),
      share,
    };
  if (left >= 4 * hour)
    return { urgency: 'calm', words: t('time.hours', { h: hours }), long: unit(hours, 'hour'), share };
  if (left >= hour) {
    const rest = Math.floor((left % hour) / minute);
    const words = rest === 0 ? t('time.hours', { h: hours }) : t('time.hoursMinutes', { h: hours, m: rest });
    return { urgency: 'soon', words, long: `${unit(hours, 'hour')} ${unit(rest, 'minute')}`, share };
  }
  return { urgency: 'last', words: t('time.minutes', { m: minutes }), long: unit(minutes, 'minute'), share };
}

function unit(value: number, name: 'day' | 'hour' | 'minute'): string {
  return new Intl.NumberFormat(locale(), { style: 'unit', unit: name, unitDisplay: 'long' }).format(value);
}

export function clockTime(time: string): string {
  return new Intl.DateTimeFormat(locale(), { hour: '2-digit', minute: '2-digit' }).format(new Date(time));
}

function startOfDay(ms: number): number {
  const date = new Date(ms);
  date.setHours(0, 0, 0, 0);
  return date.getTime();
}

function daysAgo(time: string, now: number): number {
  return Math.round((startOfDay(now) - startOfDay(Date.parse(time))) / day);
}

/** In a list: the clock today, "Yesterday", a weekday within a week, else the date. */
export function listTime(time: string, now: number): string {
  const ago = daysAgo(time, now);
  if (ago <= 0) return clockTime(time);
  if (ago === 1) return t('day.yesterday');
  const date = new Date(time);
  if (ago < 7) return new Intl.DateTimeFormat(locale(), { weekday: 'short' }).format(date);
  const sameYear = date.getFullYear() === new Date(now).getFullYear();
  return new Intl.DateTimeFormat(locale(), {
    day: 'numeric',
    month: 'short',
    ...(sameYear ? {} : { year: 'numeric' }),
  }).format(date);
}

/** Over a day of a thread: "Today", "Yesterday", "Thursday 12 March", with the year when it is not this one. */
export function dayTitle(time: string, now: number): string {
  const ago = daysAgo(time, now);
  if (ago <= 0) return t('day.today');
  if (ago === 1) return t('day.yesterday');
  const date = new Date(time);
  const sameYear = date.getFullYear() === new Date(now).getFullYear();
  return new Intl.DateTimeFormat(locale(), {
    weekday: 'long',
    day: 'numeric',
    month: 'long',
    ...(sameYear ? {} : { year: 'numeric' }),
  }).format(date);
}

export function isSameDay(left: string, right: string): boolean {
  return startOfDay(Date.parse(left)) === startOfDay(Date.parse(right));
}

/** "20 seconds ago" and the like. */
export function ago(time: string, now: number): string {
  const past = Math.max(0, now - Date.parse(time));
  const words = new Intl.RelativeTimeFormat(locale(), { numeric: 'auto' });
  if (past < minute) return words.format(-Math.round(past / 1_000), 'second');
  if (past < hour) return words.format(-Math.round(past / minute), 'minute');
  return past < day ? words.format(-Math.round(past / hour), 'hour') : words.format(-Math.round(past / day), 'day');
}

export function fileSize(bytes: number): string {
  const kilo = bytes / 1_000;
  const [value, name] =
    kilo < 1_000 ? [Math.max(1, Math.round(kilo)), 'kilobyte'] : [Math.round(kilo / 100) / 10, 'megabyte'];
  return new Intl.NumberFormat(locale(), { style: 'unit', unit: name, unitDisplay: 'short' }).format(value);
}

export function money(value: number, currency: string | null): string {
  if (!currency) return new Intl.NumberFormat(locale()).format(value);
  return new Intl.NumberFormat(locale(), { style: 'currency', currency, maximumFractionDigits: 0 }).format(value);
}

/** Seconds as `0:24`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
