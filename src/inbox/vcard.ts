// Contact cards (vCard 2.1 to 4.0) as names and numbers. Pure; what it cannot read it leaves out.

export interface Card {
  readonly name: string;
  readonly phones: readonly string[];
}

const maxCards = 50;
const maxPhones = 20;
const maxLength = 200;

/** Every card of a file, in order; a card without name and number is none. */
export function readCards(file: string): Card[] {
  const lines = unfolded(file);
  const cards: Card[] = [];
  let card: { full: string; parts: string; phones: string[] } | undefined;
  for (const { name, parameters, value } of lines) {
    if (name === 'BEGIN') card = { full: '', parts: '', phones: [] };
    if (!card) continue;
    if (name === 'FN') card.full ||= words(parameters, value);
    if (name === 'N') card.parts ||= nameOf(parameters, value);
    if (name === 'TEL' && card.phones.length < maxPhones) card.phones.push(phoneOf(parameters, value));
    if (name !== 'END') continue;
    const phones = [...new Set(card.phones)].filter((phone) => phone !== '');
    const called = card.full || card.parts || phones[0];
    if (called && cards.length < maxCards) cards.push({ name: called, phones });
    card = undefined;
  }
  return cards;
}

interface Line {
  /** In capitals, without the group before it (`item1.TEL`). */
  readonly name: string;
  readonly parameters: readonly string[];
  readonly value: string;
}

/** A line that begins with a blank goes on with the one before (RFC 6350, 3.2); so does one that ends in `=` when quoted. */
function unfolded(file: string): Line[] {
  const joined = file
    .replace(/\r\n?/g, '\n')
    .replace(/\n[ \t]/g, '')
    .split('\n')
    .reduce<string[]>((lines, line) => {
      const last = lines.at(-1);
      if (last?.endsWith('=') && /QUOTED-PRINTABLE/i.test(last)) lines[lines.length - 1] = last.slice(0, -1) + line;
      else lines.push(line);
      return lines;
    }, []);
  return joined.flatMap((line) => {
    const found = /^([^:]+?):(.*)$/.exec(line);
    if (!found) return [];
    const [name = '', ...parameters] = found[1]!.split(';');
    return [{ name: name.split('.').at(-1)!.trim().toUpperCase(), parameters, value: found[2]! }];
  });
}

function words(parameters: readonly string[], value: string): string {
  return decoded(parameters, value)
    .replace(/\\n/gi, ' ')
    .replace(/\\(.)/g, '$1')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, maxLength);
}

/** Family; given; additional; prefix; suffix: as one says it. */
function nameOf(parameters: readonly string[], value: string): string {
  const [family = '', given = '', additional = ''] = decoded(parameters, value).split(/(?<!\\);/);
  return words([], [given, additional, family].filter(Boolean).join(' '));
}

/** As written; else the WhatsApp id that stands beside it. */
function phoneOf(parameters: readonly string[], value: string): string {
  const number = words(parameters, value).replace(/^tel:/i, '').split(';')[0]!;
  if (/\d/.test(number)) return number.slice(0, 40);
  const whatsapp = parameters.map((parameter) => /^waid=(\d{5,20})$/i.exec(parameter)?.[1]).find(Boolean);
  return whatsapp ? `+${whatsapp}` : '';
}

function decoded(parameters: readonly string[], value: string): string {
  if (!parameters.some((parameter) => /QUOTED-PRINTABLE/i.test(parameter))) return value;
  const bytes = value.replace(/=([0-9A-F]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
