// Writes manifest/messaging-manifest.json, with the addresses of this installation. `PUBLIC_URL=https://… npm run manifest`
import { writeFile } from 'node:fs/promises';
import { messagingManifest } from '../src/web/leads-inbox.ts';

/** Stands for the app's address in the file that comes with the source. */
const example = 'https://inbox.example.com';
const publicUrl = (process.env.PUBLIC_URL ?? example).replace(/\/+$/, '');
if (!/^https?:\/\/[^/?#\s]+$/.test(publicUrl)) {
  console.error('PUBLIC_URL must be an address such as https://inbox.example.com');
  process.exit(1);
}
const target = new URL('../manifest/messaging-manifest.json', import.meta.url);
await writeFile(target, `${JSON.stringify(messagingManifest(publicUrl), null, 2)}\n`);
console.log(`manifest/messaging-manifest.json names ${publicUrl}`);
