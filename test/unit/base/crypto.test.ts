// Secrets at rest: what was sealed opens where it belongs, and nowhere else (section 5.9 of the bad inputs).
import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createVault, hmac, randomToken, sameSecret, sha256, type SealingKey } from '../../../src/base/crypto.ts';

const key = (id: string): SealingKey => ({ id, secret: randomBytes(32) });
const place = 'installation:1:2:access';
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

describe('a sealed value', () => {
  test('opens to what was sealed, be it empty, long or in any script', () => {
    const vault = createVault([key('a')]);

    for (const plain of ['', 'v1u:token', 'smörgåsbord 🙂 \u0000', 'x'.repeat(20_000)]) {
      expect(vault.open(vault.seal(plain, place), place)).toBe(plain);
    }
  });

  test('is refused with any one byte of nonce, ciphertext or tag changed (C-01)', () => {
    const vault = createVault([key('a')]);
    const [id, ...parts] = vault.seal('the access token', place).split('.');
    let tried = 0;

    for (const [index, part] of parts.entries()) {
      const bytes = Buffer.from(part, 'base64url');
      for (let at = 0; at < bytes.length; at += 1) {
        const changed = Buffer.from(bytes);
        changed[at]! ^= 1 << (at % 8);
        const sealed = [id, ...parts.with(index, changed.toString('base64url'))].join('.');
        expect(() => vault.open(sealed, place), `part ${index}, byte ${at}`).toThrow();
        tried += 1;
      }
    }
    expect(tried).toBe(12 + 16 + 16);
  });

  test('is refused with any one character changed, even where the bytes stay the same (C-01)', () => {
    const vault = createVault([key('a'), key('b')]);
    const sealed = vault.seal('the access token', place);

    for (let at = 0; at < sealed.length; at += 1) {
      for (const other of [...alphabet, '.', '=', '+', ' ']) {
        if (other === sealed[at]) continue;
        const changed = sealed.slice(0, at) + other + sealed.slice(at + 1);
        expect(() => vault.open(changed, place), `${other} at ${at}`).toThrow();
      }
    }
    for (const more of [`${sealed}=`, `${sealed}\n`, ` ${sealed}`, `${sealed}.`, `${sealed}.AAAA`]) {
      expect(() => vault.open(more, place), JSON.stringify(more)).toThrow();
    }
  });

  test('of another company, user or field does not open here (C-02, C-03)', () => {
    const vault = createVault([key('a')]);

    for (const elsewhere of ['installation:9:2:access', 'installation:1:9:access', 'installation:1:2:refresh', '']) {
      expect(() => vault.open(vault.seal('token', elsewhere), place), elsewhere).toThrow();
    }
  });

  test('that is cut short, empty, or not sealed at all is refused (C-04)', () => {
    const vault = createVault([key('a')]);
    const sealed = vault.seal('token', place);

    for (let length = 0; length < sealed.length; length += 1) {
      expect(() => vault.open(sealed.slice(0, length), place), `the first ${length}`).toThrow();
    }
    for (const other of ['', '.', '...', 'a...', 'v1u:plain-token', '{"token":"x"}']) {
      expect(() => vault.open(other, place), other).toThrow();
    }
  });

  test('with a tag cut to fewer bytes is refused, so that a forger cannot guess a short one (C-01)', () => {
    const vault = createVault([key('a')]);
    const [id, nonce, text, tag] = vault.seal('token', place).split('.');

    for (const bytes of [4, 8, 12, 15]) {
      const short = Buffer.from(tag!, 'base64url').subarray(0, bytes).toString('base64url');
      expect(() => vault.open([id, nonce, text, short].join('.'), place), `${bytes} bytes`).toThrow();
    }
  });

  test('of a key that is not known is refused, and so is one relabelled with the id of another key (C-05)', () => {
    const [old, young] = [key('old'), key('young')];
    const sealed = createVault([old]).seal('token', place);

    expect(() => createVault([young]).open(sealed, place)).toThrow();
    expect(() => createVault([old, young]).open(sealed.replace(/^old\./, 'young.'), place)).toThrow();
    expect(() => createVault([{ id: 'other', secret: old.secret }, old]).open(sealed.replace(/^old/, 'other'), place)) //
      .toThrow();
  });

  test('does not show in the refusal what it held', () => {
    const vault = createVault([key('a')]);
    const sealed = vault.seal('the-planted-token', place);

    expect(() => vault.open(sealed, 'elsewhere')).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('planted') as string }) as Error,
    );
  });
});

test('the first key seals and every key opens; an old one may go when all is sealed anew (C-07)', () => {
  const [old, young] = [key('2025'), key('2026')];
  const before = Array.from({ length: 200 }, (_, index) => createVault([old]).seal(`token ${index}`, place));
  const rotating = createVault([young, old]);

  const after = before.map((sealed, index) =>
    index % 2 ? sealed : rotating.seal(rotating.open(sealed, place), place),
  );

  expect(after.map((sealed) => rotating.open(sealed, place))).toEqual(before.map((_, index) => `token ${index}`));
  expect(after.map((sealed) => sealed.split('.')[0])).toEqual(before.map((_, index) => (index % 2 ? '2025' : '2026')));
  const done = createVault([young]);
  expect(done.open(after[0]!, place)).toBe('token 0');
  expect(() => done.open(after[1]!, place)).toThrow();
});

test('among 100,000 sealed values no nonce comes twice, and the same text never looks the same (C-08)', () => {
  const vault = createVault([key('a')]);
  const sealed = Array.from({ length: 100_000 }, () => vault.seal('x', place));

  expect(new Set(sealed.map((each) => each.split('.')[1])).size).toBe(100_000);
  expect(new Set(sealed).size).toBe(100_000);
});

test('a vault without a key, or with one of the wrong length, is not made or not used (C-06)', () => {
  expect(() => createVault([])).toThrow(/key/);
  expect(() => createVault([{ id: 'a', secret: randomBytes(31) }]).seal('x', place)).toThrow();
});

test('two secrets are the same only when every byte is, and an empty one equals nothing', () => {
  expect(sameSecret('secret', 'secret')).toBe(true);
  expect(sameSecret('åäö', 'åäö')).toBe(true);
  for (const [left, right] of [
    ['secret', 'secreT'],
    ['secret', 'secret '],
    ['secret', 'secre'],
    ['', ''],
    ['', 'secret'],
    ['secret', ''],
  ] as const) {
    expect(sameSecret(left, right), `${left} and ${right}`).toBe(false);
  }
});

test('signatures and hashes are those that others compute (RFC 4231 case 2, RFC 2202 case 2, FIPS 180)', () => {
  expect(hmac('sha256', 'Jefe', 'what do ya want for nothing?').toString('hex')).toBe(
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  );
  expect(hmac('sha1', 'Jefe', 'what do ya want for nothing?').toString('hex')).toBe(
    'effcdf6ae5eb2fa2d27416d5f184df9c259a7c79',
  );
  expect(sha256('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});

test('a random token is 256 bits of text that fits an address, and never the same', () => {
  const tokens = Array.from({ length: 1_000 }, randomToken);

  expect(tokens.every((token) => /^[\w-]{43}$/.test(token))).toBe(true);
  expect(new Set(tokens).size).toBe(1_000);
});
