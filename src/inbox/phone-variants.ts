// One phone number in the ways it is written: for matching only, never for sending (C11).
import { parsePhoneNumberFromString } from 'libphonenumber-js';

/** The international numbers that reach the same phone as this one; the number itself comes first. Digits only. */
function samePhone(number: string): string[] {
  const parsed = parsePhoneNumberFromString(number.startsWith('+') ? number : `+${number}`);
  const digits = (parsed?.number ?? number).replace(/\D/g, '');
  return [...new Set([digits, ...otherForms(digits)])];
}

/** Brazil's ninth digit, Mexico's 1 and Argentina's 9 after the country code come and go. */
function otherForms(digits: string): string[] {
  const brazil = /^55(\d\d)(9?)(\d{8})$/.exec(digits);
  if (brazil) return [`55${brazil[1]}${brazil[2] ? '' : '9'}${brazil[3]}`];
  const mexico = /^52(1?)(\d{10})$/.exec(digits);
  if (mexico) return [`52${mexico[1] ? '' : '1'}${mexico[2]}`];
  const argentina = /^54(9?)(\d{10})$/.exec(digits);
  if (argentina) return [`54${argentina[1] ? '' : '9'}${argentina[2]}`];
  return [];
}

/** The same as identities are written: `+` and digits, the number itself first. */
export function phoneForms(number: string): string[] {
  return samePhone(number).map((digits) => `+${digits}`);
}

/** What to search for: how people write numbers differs, and a search that looks at letters only must be asked for each way. */
export function spellings(number: string): string[] {
  const parsed = parsePhoneNumberFromString(number.startsWith('+') ? number : `+${number}`);
  const national = parsed?.nationalNumber ?? number.replace(/\D/g, '').slice(-9);
  const forms = [
    `+${samePhone(number)[0]!}`,
    parsed?.formatNational(),
    parsed?.formatInternational(),
    // However the rest is grouped, the last four digits mostly stand together.
    national.slice(-4),
  ];
  return [...new Set(forms.filter((form): form is string => !!form && form.length >= 4))];
}

/** Whether a number as somebody typed it is this international one. National forms count for the number's own country. */
export function isSamePhone(typed: string, number: string): 'same' | 'written_differently' | undefined {
  const forms = samePhone(number);
  if (!forms.includes(digitsOf(typed, number))) return undefined;
  return typed.replace(/\s/g, '') === `+${forms[0]!}` ? 'same' : 'written_differently';
}

/** Whether it is this very number, however it is spaced and prefixed, and not only one that reaches the same phone. */
export function isVeryPhone(typed: string, number: string): boolean {
  return digitsOf(typed, number) === samePhone(number)[0];
}

function digitsOf(typed: string, number: string): string {
  const country = parsePhoneNumberFromString(number.startsWith('+') ? number : `+${number}`)?.country;
  const cleaned = typed.replace(/[^\d+]/g, '').replace(/^00/, '+');
  return (parsePhoneNumberFromString(cleaned, country)?.number ?? cleaned).replace(/\D/g, '');
}
