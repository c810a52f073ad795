// Copies of an embedded database, made while the server runs, and put back while it does not (O6).
import { existsSync } from 'node:fs';
import { copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import Sqlite from 'better-sqlite3';

/** The file of a `sqlite:` address, or nothing for another database. */
export function databaseFile(url: string): string | null {
  return url.startsWith('sqlite:') ? resolve(url.slice('sqlite:'.length)) : null;
}

/** One consistent copy of everything committed, by SQLite's own online backup; writers go on meanwhile. */
export async function backupFile(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  const source = new Sqlite(from, { readonly: true, fileMustExist: true });
  try {
    await source.backup(to);
  } finally {
    source.close();
  }
}

/** Puts a copy in the place of the database. Throws when the copy is damaged, or a server holds the database. */
export async function restoreFile(from: string, to: string): Promise<void> {
  const copy = new Sqlite(from, { readonly: true, fileMustExist: true });
  const sound = copy.pragma('integrity_check', { simple: true });
  copy.close();
  if (sound !== 'ok') throw new Error('the copy is damaged; nothing was changed');
  await mkdir(dirname(to), { recursive: true });
  const lock = new Sqlite(`${to}.lock`, { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    lock.close();
    throw new Error('a server is using the database; stop it first', { cause });
  }
  try {
    await copyFile(from, `${to}.restoring`);
    // What the old file had not yet taken in must not be read into the new one.
    for (const rest of ['-wal', '-shm']) if (existsSync(`${to}${rest}`)) await rm(`${to}${rest}`);
    await rename(`${to}.restoring`, to);
  } finally {
    lock.close();
  }
}
