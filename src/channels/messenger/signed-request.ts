// `signed_request` of Meta's deauthorise and data-deletion callbacks (Data Deletion Request Callback).
import { hmac, sameSecret } from '../../base/crypto.ts';
import { isObject } from './long-numbers.ts';

/**
 * The app-scoped id of the person it speaks of, or null when it is not signed with the app secret. Signed is the payload as
 * it is encoded.
 */
export function signedPerson(appSecret: string, signedRequest: string): string | null {
  const [signature = '', payload = '', ...rest] = signedRequest.split('.');
  if (rest.length > 0 || payload === '' || signedRequest.length > 10_000) return null;
  const expected = hmac('sha256', appSecret, payload).toString('base64url');
  if (!sameSecret(signature.replace(/=+$/, ''), expected)) return null;
  const said = parsed(Buffer.from(payload, 'base64url').toString('utf8'));
  if (!isObject(said) || said.algorithm !== 'HMAC-SHA256') return null;
  const { user_id: person } = said;
  return typeof person === 'string' && /^\d{1,40}$/.test(person) ? person : null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
