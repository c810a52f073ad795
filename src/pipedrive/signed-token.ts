// The iframe's JWT: HS256 with our own secret, short-lived, naming user and company (Custom UI extensions).
import { createSecretKey, type KeyObject } from 'node:crypto';
import { jwtVerify } from 'jose';
import { z } from 'zod';
import { UserError } from '../base/errors.ts';

const claims = z.object({
  userId: z.number().int().positive().max(Number.MAX_SAFE_INTEGER),
  companyId: z.number().int().positive().max(Number.MAX_SAFE_INTEGER),
  iat: z.number().finite().optional(),
  exp: z.number().finite(),
});
const longestLifeSeconds = 600;
const leewaySeconds = 60;
const longestToken = 8_192;

/** A key object: checking with a string secret costs 40 times as much. */
export function signedTokenKey(secret: string): KeyObject {
  return createSecretKey(Buffer.from(secret));
}

/** Throws UserError `unauthenticated` for anything but a sound token; says nothing about why. */
export async function verifySignedToken(
  key: KeyObject,
  token: string,
  now: Date,
): Promise<{ userId: string; companyId: string }> {
  try {
    if (token.length > longestToken || !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) throw new Error('not a token');
    const { payload } = await jwtVerify(token, key, {
      algorithms: ['HS256'],
      currentDate: now,
      clockTolerance: leewaySeconds,
      requiredClaims: ['exp'],
    });
    const { userId, companyId, iat, exp } = claims.parse(payload);
    const nowSeconds = now.getTime() / 1_000;
    if (iat !== undefined && iat > nowSeconds + leewaySeconds) throw new Error('from the future');
    if (exp - (iat ?? nowSeconds) > longestLifeSeconds) throw new Error('lives too long');
    if (exp - nowSeconds > longestLifeSeconds + leewaySeconds) throw new Error('lives too long');
    return { userId: String(userId), companyId: String(companyId) };
  } catch (cause) {
    throw new UserError('unauthenticated', undefined, { cause });
  }
}
