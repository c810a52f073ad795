// Opens a Web Push message as a browser does: aes128gcm content coding with keys of RFC 8291.
import { createDecipheriv, hkdfSync, type ECDH } from 'node:crypto';

/** Throws when it was not sealed for this browser, or any byte was changed. */
export function openMessage(body: Buffer, browser: ECDH, auth: Buffer): Buffer {
  // Header: salt (16), record size (4), length of the key id (1), the key id: the sender's public point (RFC 8188, 2.1).
  const salt = body.subarray(0, 16);
  const recordSize = body.readUInt32BE(16);
  const idLength = body.readUInt8(20);
  const sender = body.subarray(21, 21 + idLength);
  const sealed = body.subarray(21 + idLength);
  if (idLength !== 65 || sealed.length < 18 || sealed.length > recordSize) throw new Error('malformed');
  const info = Buffer.concat([Buffer.from('WebPush: info\0'), browser.getPublicKey(), sender]);
  const input = derive(browser.computeSecret(sender), auth, info, 32);
  const key = derive(input, salt, Buffer.from('Content-Encoding: aes128gcm\0'), 16);
  const nonce = derive(input, salt, Buffer.from('Content-Encoding: nonce\0'), 12);
  const decipher = createDecipheriv('aes-128-gcm', key, nonce);
  decipher.setAuthTag(sealed.subarray(-16));
  const padded = Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
  // One record, so it ends with 2 and then zeros.
  const end = padded.lastIndexOf(2);
  if (end < 0 || padded.subarray(end + 1).some((byte) => byte !== 0)) throw new Error('malformed padding');
  return padded.subarray(0, end);
}

function derive(input: Buffer, salt: Buffer, info: Buffer, length: number): Buffer {
  return Buffer.from(hkdfSync('sha256', input, salt, info, length));
}
