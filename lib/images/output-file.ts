import { randomBytes } from 'node:crypto';
import { fsync } from 'node:fs';
import { link, lstat, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { OutputError, quoted } from '../errors.js';

/** The error of a file that could not be written. */
export const outputError = (path: string, cause: unknown): OutputError => {
  const code = (cause as NodeJS.ErrnoException).code ?? 'unknown';
  if (code === 'EEXIST') {
    return new OutputError('OUTPUT_EXISTS', `${quoted(path)} exists`, 'Give another name, or overwrite: true', {
      details: { path },
      cause,
    });
  }
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') {
    return new OutputError(
      'OUTPUT_NO_SPACE',
      `There is no room for ${quoted(path)} (${code})`,
      'Free some space, or write elsewhere',
      {
        details: { path, errno: code },
        cause,
      },
    );
  }
  return new OutputError(
    'OUTPUT_IO',
    `${quoted(path)} cannot be written (${code})`,
    'Check the folder and its permissions',
    {
      details: { path, errno: code },
      cause,
    },
  );
};

const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

/** The finished file takes its name at once: without `overwrite` only where nothing has it. */
export const publish = async (part: string, path: string, overwrite: boolean): Promise<void> => {
  if (overwrite) return rename(part, path);
  try {
    await link(part, path); // fails where the name is taken, which rename does not
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EEXIST') throw error;
    // file systems without hard links
    if (await exists(path)) throw Object.assign(new Error(`${path} exists`), { code: 'EEXIST' });
    return rename(part, path);
  }
  await rm(part);
};

/** trap: `sync` of a FileHandle throws under Yarn's Plug'n'Play, which has a FileHandle of its own. */
const syncOf = promisify(fsync);

/** Brings the names in a folder to the disk. */
export const syncFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder, 'r').catch(() => undefined); // not on Windows
  if (handle) await syncOf(handle.fd).catch(() => undefined);
  await handle?.close();
};

/** Writes a file whole or not at all: beside it under another name, to the disk, then renamed. */
export const writeWhole = async (path: string, bytes: Uint8Array, overwrite: boolean): Promise<void> => {
  const folder = dirname(path);
  const part = join(folder, `.${basename(path)}.${process.pid}.${randomBytes(6).toString('hex')}.part`);
  try {
    if (!overwrite && (await exists(path))) throw Object.assign(new Error(`${path} exists`), { code: 'EEXIST' });
    const handle = await open(part, 'wx');
    try {
      await handle.writeFile(bytes);
      await syncOf(handle.fd);
    } finally {
      await handle.close();
    }
    await publish(part, path, overwrite);
  } catch (cause) {
    await rm(part, { force: true }).catch(() => undefined);
    throw outputError(path, cause);
  }
  await syncFolder(folder);
};
