// Pictures customers send: drawn here, so that nothing is downloaded and nobody's rights are touched.
import sharp from 'sharp';
import type { MetaFile } from './meta/state.ts';

const width = 1200;
const height = 900;

const sky =
  '<linearGradient id="sky" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="#9fc4ea"/><stop offset="1" stop-color="#e3effa"/></linearGradient>';
const brick = `<pattern id="tiles" width="60" height="34" patternUnits="userSpaceOnUse"><rect width="60" height="34" fill="#a9452f"/>
  <path d="M0 33h60M30 0v34" stroke="#8a3422" stroke-width="3"/></pattern>`;
const hills =
  '<path d="M0 700q220-190 470-60t420-40q180-80 310 40v260H0z" fill="#6f8d5c"/><path d="M0 780q300-90 640-20t560-30v170H0z" fill="#5f7d4e"/>';
const house =
  '<path d="M260 520h680v300H260z" fill="#efe6d6"/><path d="M360 580h130v130H360zM710 580h130v130H710z" fill="#8cb0cf" stroke="#fff" stroke-width="14"/><path d="M560 620h90v200h-90z" fill="#5a4a3f"/>';

/** name → what is in it, and how it is drawn */
const drawings: Readonly<Record<string, { title: string; svg: string }>> = {
  roof: {
    title: 'Roof with a hole',
    svg: `<defs>${sky}${brick}</defs><rect width="1200" height="900" fill="url(#sky)"/><circle cx="1000" cy="150" r="70" fill="#fdf0c4"/>${hills}
      <path d="M780 150h80v150h-80z" fill="#93857b"/>${house}<path d="M330 250h540l130 280H200z" fill="url(#tiles)"/>
      <path d="M520 330l90-30 70 60-50 70-80-14z" fill="#3a2620"/>`,
  },
  panels: {
    title: 'Solar panels',
    svg: `<defs>${sky}${brick}<pattern id="cells" width="38" height="38" patternUnits="userSpaceOnUse"><rect width="38" height="38" fill="#1d2f52"/>
      <path d="M0 0h38v38" fill="none" stroke="#44629c" stroke-width="3"/></pattern></defs><rect width="1200" height="900" fill="url(#sky)"/>
      <circle cx="190" cy="150" r="80" fill="#ffe9a8"/>${hills}${house}<path d="M330 250h540l130 280H200z" fill="url(#tiles)"/>
      <path d="M380 290h190l-22 90H340zM600 290h190l34 90H580zM330 400h210l-26 100H286zM572 400h256l42 100H550z" fill="url(#cells)" stroke="#c9d3e3" stroke-width="6"/>`,
  },
  chimney: {
    title: 'The chimney side',
    svg: `<defs>${sky}${brick}</defs><rect width="1200" height="900" fill="url(#sky)"/><path d="M0 900L0 520 1200 250v650z" fill="url(#tiles)"/>
      <path d="M470 90h290v480H470z" fill="#9a6a52"/><path d="M440 60h350v60H440z" fill="#6f4a38"/>
      <path d="M470 180h290M470 260h290M470 340h290M470 420h290M560 120v60M660 180v80M540 260v80M690 340v80M600 420v80" stroke="#7d523d" stroke-width="6"/>
      <path d="M470 500l290-66v136l-290 66z" fill="#46505c"/><path d="M520 620l60 40-20 60" stroke="#2c1c16" stroke-width="10" fill="none"/>`,
  },
  meter: {
    title: 'Meter cabinet',
    svg: `<rect width="1200" height="900" fill="#d9dde3"/><rect x="250" y="90" width="700" height="720" rx="18" fill="#f4f5f7" stroke="#9aa3af" stroke-width="10"/>
      <rect x="330" y="160" width="260" height="210" rx="12" fill="#e9ecef" stroke="#7b8592" stroke-width="6"/><rect x="370" y="200" width="180" height="70" fill="#bfd0b4"/>
      <text x="384" y="252" font-family="monospace" font-size="50" fill="#243322">048213</text><circle cx="460" cy="322" r="22" fill="#c2372f"/>
      <g fill="#fff" stroke="#7b8592" stroke-width="5">${Array.from({ length: 9 }, (_, index) => `<rect x="${320 + index * 64}" y="440" width="50" height="130" rx="6"/>`).join('')}</g>
      <g fill="#2f3a47">${Array.from({ length: 9 }, (_, index) => `<rect x="${335 + index * 64}" y="${index === 4 ? 510 : 466}" width="20" height="42" rx="4"/>`).join('')}</g>
      <path d="M360 640h480M360 690h360" stroke="#b3bac4" stroke-width="12" stroke-linecap="round"/><rect x="660" y="180" width="210" height="170" rx="10" fill="#fff4c9" stroke="#d9b84a" stroke-width="5"/>
      <text x="690" y="245" font-family="sans-serif" font-size="38" fill="#6b5310">3 × 20 A</text><text x="690" y="305" font-family="sans-serif" font-size="30" fill="#6b5310">Björkv. 12</text>`,
  },
  sketch: {
    title: 'A sketch of the garage',
    svg: `<rect width="1200" height="900" fill="#fbfaf5"/><g stroke="#e2e0d4" stroke-width="2">${Array.from({ length: 19 }, (_, index) => `<path d="M0 ${index * 50}h1200"/>`).join('')}${Array.from({ length: 25 }, (_, index) => `<path d="M${index * 50} 0v900"/>`).join('')}</g>
      <g fill="none" stroke="#2b3f6b" stroke-width="8" stroke-linejoin="round" stroke-linecap="round"><path d="M210 640l4-300 380-180 390 176 6 306z"/><path d="M330 640V440h210v200M660 470h200v120H660z"/>
      <path d="M206 720h782M214 700v40M984 700v40"/><path d="M640 300l60-70 60 66"/></g>
      <text x="520" y="790" font-family="cursive" font-size="56" fill="#b3372e">7,2 m</text><text x="300" y="420" font-family="cursive" font-size="44" fill="#b3372e">laddbox?</text>`,
  },
};

export const pictureNames = Object.keys(drawings);

export function pictureTitle(name: string): string {
  return drawings[name]?.title ?? name;
}

const made = new Map<string, Promise<MetaFile>>();

/** One of `pictureNames` as a JPEG, drawn when first asked for. */
export function picture(name: string): Promise<MetaFile> {
  const drawing = drawings[name];
  if (!drawing) throw new Error(`There is no picture ${name}; there are ${pictureNames.join(', ')}`);
  return draw(`${name}.jpg`, drawing.svg, width, height);
}

/** A customer's face, different for each name. */
export function portrait(name: string): Promise<MetaFile> {
  const number = [...name].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % 9973, 7);
  const pick = (list: readonly string[], shift: number) => list[Math.floor(number / shift) % list.length] ?? '';
  const skin = pick(['#f2c9a5', '#e0a884', '#8f5b3e', '#f6d7bf', '#b87a55'], 1);
  const hair = pick(['#2f2320', '#7a4a2b', '#c58f4b', '#a8a29b', '#1d1a1f'], 5);
  const shirt = pick(['#3f6fb0', '#5b8c6a', '#b0563f', '#6d5b97', '#c0933b'], 25);
  const back = pick(['#dfe8f2', '#f3e7d8', '#e3efe4', '#ece4f2'], 125);
  const long = number % 2 === 0 ? `<path d="M112 190q-14 130 6 190h164q20-60 6-190z" fill="${hair}"/>` : '';
  return draw(
    'portrait.jpg',
    `<rect width="400" height="400" fill="${back}"/>${long}<path d="M60 400q10-120 140-120t140 120z" fill="${shirt}"/>
     <path d="M168 240h64v60q-32 30-64 0z" fill="${skin}"/><ellipse cx="200" cy="185" rx="76" ry="90" fill="${skin}"/>
     <path d="M118 180q-6-110 84-112 92 0 82 112-16-62-66-66-66-2-100 66z" fill="${hair}"/>
     <circle cx="172" cy="190" r="7" fill="#33261f"/><circle cx="228" cy="190" r="7" fill="#33261f"/>
     <path d="M172 232q28 24 56 0" stroke="#8b4a3a" stroke-width="6" fill="none" stroke-linecap="round"/>`,
    400,
    400,
  );
}

function draw(name: string, svg: string, wide: number, high: number): Promise<MetaFile> {
  const key = `${name} ${svg}`;
  const known = made.get(key);
  if (known) return known;
  const whole = `<svg xmlns="http://www.w3.org/2000/svg" width="${wide}" height="${high}" viewBox="0 0 ${wide} ${high}">${svg}</svg>`;
  const drawn = sharp(Buffer.from(whole))
    .jpeg({ quality: 82 })
    .toBuffer()
    .then((bytes) => ({ bytes, contentType: 'image/jpeg', name }));
  made.set(key, drawn);
  return drawn;
}
