import { stat } from 'node:fs/promises';
import { ModelFileError, quoted } from '../errors.js';
import { sha256 } from './files.js';

/** A file whose content was what the caller expected. */
export interface CheckedFile {
  /** Throws when the file is another by now: it was opened again since its hash was taken. */
  stillHolds(): Promise<void>;
}

/** What changes when a file is written or replaced. */
export const stateOf = async (path: string): Promise<string> => {
  const { dev, ino, size, mtimeNs } = await stat(path, { bigint: true });
  return [dev, ino, size, mtimeNs].join(' ');
};

const unreadable = (path: string, cause: unknown): ModelFileError => {
  const code = (cause as NodeJS.ErrnoException).code;
  const isMissing = code === 'ENOENT' || code === 'ENOTDIR';
  return new ModelFileError(
    isMissing ? 'MODEL_NOT_FOUND' : 'MODEL_IO',
    isMissing ? `${quoted(path)}: there is no such file` : `${quoted(path)} cannot be read (${String(code)})`,
    'Check the path and its permissions',
    { details: { path }, cause },
  );
};

/** Holds the content of a file to the SHA-256 that the caller expects, in any letter case. */
export const checkHash = async (path: string, expected: string): Promise<CheckedFile> => {
  let before: string;
  let found: string;
  try {
    before = await stateOf(path);
    found = await sha256(path);
  } catch (cause) {
    throw unreadable(path, cause);
  }
  if (found !== expected.toLowerCase()) {
    throw new ModelFileError(
      'MODEL_HASH_MISMATCH',
      `${quoted(path)} has the SHA-256 ${found}, expected ${expected.toLowerCase()}`,
      'Download the file again, or correct sha256 if another version is meant',
      { details: { path, expected: expected.toLowerCase(), found } },
    );
  }
  return {
    stillHolds: async () => {
      if ((await stateOf(path).catch(() => '')) === before) return;
      throw new ModelFileError(
        'MODEL_CHANGED',
        `${quoted(path)} changed after its SHA-256 was checked`,
        'Load it again once the copy is finished',
        { details: { path } },
      );
    },
  };
};
