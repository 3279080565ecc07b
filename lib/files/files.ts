import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, realpath, stat } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { ModelFileError, quoted } from '../errors.js';

/** What a path is; undefined when there is nothing. */
export const kindAt = async (path: string): Promise<'file' | 'folder' | 'other' | undefined> => {
  const facts = await stat(path).catch(() => undefined);
  if (!facts) return undefined;
  return facts.isFile() ? 'file' : facts.isDirectory() ? 'folder' : 'other';
};

export const isFile = async (path: string): Promise<boolean> => (await kindAt(path)) === 'file';

/** The path without links, for telling whether two are the same file. */
export const samePath = (path: string): Promise<string> => realpath(path).catch(() => path);

/** A file's name without folder and ending. */
export const stem = (path: string): string => basename(path, extname(path));

const SLICE = 2 ** 20; // bytes: about a millisecond, and others have their turn between two

/** SHA-256 of a file, in hexadecimal. */
export const sha256 = async (path: string): Promise<string> => {
  const hash = createHash('sha256');
  for await (const part of createReadStream(path, { highWaterMark: SLICE })) {
    hash.update(part as Buffer);
    await setImmediate();
  }
  return hash.digest('hex');
};

const MAX_JSON = 8 * 2 ** 20; // bytes; configurations have a few kB

/** The parsed object of a JSON file; undefined when the file is not there. */
export const readJson = async (path: string): Promise<Record<string, unknown> | undefined> => {
  const damaged = (what: string, cause?: unknown): ModelFileError =>
    new ModelFileError(
      'MODEL_HEADER_INVALID',
      `${quoted(path)} ${what}`,
      'Take the file anew from where the model came from',
      { details: { path }, cause },
    );
  let text: string;
  try {
    const facts = await stat(path);
    if (facts.size > MAX_JSON) {
      throw new ModelFileError(
        'MODEL_LIMIT',
        `${quoted(path)} has ${facts.size} bytes, at most ${MAX_JSON} are read`,
        'Take the file anew',
        { details: { path } },
      );
    }
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (cause instanceof ModelFileError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new ModelFileError(
      'MODEL_IO',
      `${quoted(path)} cannot be read (${String(code)})`,
      'Check the file and its permissions',
      { details: { path }, cause },
    );
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (cause) {
    throw damaged('is not JSON', cause);
  }
  throw damaged('is not a JSON object');
};
