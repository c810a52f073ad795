// Sealing of secrets, signatures and comparisons in constant time.
import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

export interface SealingKey {
  readonly id: string;
  readonly secret: Buffer;
}

export interface Vault {
  /** Encrypts with the first key. `place` (company, table, row and field) is bound in, so that a sealed value works nowhere else. */
  seal(plain: string, place: string): string;
  /** Decrypts with the key named in the value. Throws when anything about it was changed or the key is unknown. */
  open(sealed: string, place: string): string;
}

/** AES-256-GCM with a random 96-bit nonce. A sealed value is `keyId.nonce.ciphertext.tag`, the last three in base64url. */
export function createVault(keys: readonly SealingKey[]): Vault {
  const [first] = keys;
  if (!first) throw new Error('at least one encryption key is needed');
  const byId = new Map(keys.map((key) => [key.id, key]));
  return {
    seal(plain, place) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', first.secret, nonce);
      cipher.setAAD(Buffer.from(`${first.id}|${place}`));
      const sealed = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
      return [first.id, ...[nonce, sealed, cipher.getAuthTag()].map((part) => part.toString('base64url'))].join('.');
    },
    open(sealed, place) {
      const [id = '', ...parts] = sealed.split('.');
      const key = byId.get(id);
      const [nonce, text, tag, ...rest] = parts.map((part) => Buffer.from(part, 'base64url'));
      // The decoder forgives foreign characters and spare bits; a value that was changed there was changed all the same.
      const isAsWritten = parts.every((part) => Buffer.from(part, 'base64url').toString('base64url') === part);
      if (!key || !nonce || !text || tag?.length !== 16 || rest.length > 0 || !isAsWritten) {
        throw new Error('a sealed value cannot be opened');
      }
      const decipher = createDecipheriv('aes-256-gcm', key.secret, nonce);
      decipher.setAAD(Buffer.from(`${id}|${place}`));
      decipher.setAuthTag(tag);
      return Buffer.concat([decipher.update(text), decipher.final()]).toString('utf8');
    },
  };
}

export function hmac(algorithm: 'sha256' | 'sha1', key: string | Buffer, data: string | Uint8Array): Buffer {
  return createHmac(algorithm, key).update(data).digest();
}

export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** Compares in a time that does not depend on where the two differ. An empty value equals nothing. */
export function sameSecret(left: string, right: string): boolean {
  if (left === '' || right === '') return false;
  return timingSafeEqual(createHash('sha256').update(left).digest(), createHash('sha256').update(right).digest());
}

/** 256 random bits as base64url text. */
export function randomToken(): string {
  return randomBytes(32).toString('base64url');
}
