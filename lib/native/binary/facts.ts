// What is known once the addon was not found or did not load: looked up then, and only what could end the process before.
import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { packageVersion } from '../package.js';
import { type FileKind, fileKind, HEAD_BYTES } from './file-kind.js';
import { type Machine, machine, withTranslation } from './machine.js';
import { noexecMount } from './noexec.js';

/** Who said that this is the addon: a variable, a build on this machine, the package, or one of node-gyp-build's own places. */
export type Source = 'IPA_BINARY' | 'build' | 'prebuilds' | 'elsewhere';

/** The addon, or that there is none; `tried` are the places that were looked at, in their order. */
export interface Found {
  readonly source: Source;
  /** Undefined: no file was found. */
  readonly path?: string;
  readonly tried: readonly string[];
}

export type FileFacts =
  | { readonly state: 'absent' | 'folder' }
  | { readonly state: 'unreadable'; readonly errno: string }
  | { readonly state: 'file'; readonly size: number; readonly kind: FileKind };

/** What came of loading the file. */
export interface Outcome {
  /** What the system or the file's own code said. */
  readonly reason?: string;
  /** The version it is of, where it is another than the package's. */
  readonly version?: string;
  /** What an addon of this package has and this one has not. */
  readonly lacks?: readonly string[];
}

export interface LoadFacts extends Found, Outcome {
  readonly machine: Machine;
  /** The package's folder. */
  readonly root: string;
  readonly packageVersion: string;
  /** Whether that folder is a clone of the sources. */
  readonly isClone: boolean;
  /** Files of prebuilds/: `linux-x64/node-ip-adapter.glibc.node`; undefined where there is no such folder. */
  readonly carried: readonly string[] | undefined;
  /** The file at `path`. */
  readonly file: FileFacts;
  /** The folder that it is mounted under with noexec. */
  readonly noexec?: string;
}

const MOST_FILES = 40; // that are listed

const carriedIn = (root: string): string[] | undefined => {
  const folder = join(root, 'prebuilds');
  try {
    return readdirSync(folder, { withFileTypes: true, recursive: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll(sep, '/'))
      .sort()
      .slice(0, MOST_FILES);
  } catch {
    return undefined;
  }
};

const head = (path: string): Buffer => {
  const descriptor = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(HEAD_BYTES);
    return bytes.subarray(0, readSync(descriptor, bytes, 0, HEAD_BYTES, 0));
  } finally {
    closeSync(descriptor);
  }
};

const fileAt = (path: string): FileFacts => {
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) return { state: 'folder' };
    return { state: 'file', size: stat.size, kind: fileKind(head(path), stat.size) };
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code ?? 'unknown';
    return errno === 'ENOENT' || errno === 'ENOTDIR' ? { state: 'absent' } : { state: 'unreadable', errno };
  }
};

/**
 * Whether a file is shorter than its own header says. Asked before loading, unlike all else here:
 * trap: Linux maps such a file and ends the process at the first page that is not there.
 */
export const isCutOff = (path: string): boolean => {
  const file = fileAt(path);
  return file.state === 'file' && (file.kind.whole ?? 0) > file.size;
};

/** Looks up what an error about this file must say. */
export const factsOf = (root: string, found: Found, outcome: Outcome): LoadFacts => {
  const { path } = found;
  const noexec = path === undefined ? undefined : noexecMount(path);
  return {
    ...found,
    ...outcome,
    machine: withTranslation(machine()),
    root,
    packageVersion: packageVersion(),
    isClone: existsSync(join(root, 'tsconfig.json')),
    carried: carriedIn(root),
    file: path === undefined ? { state: 'absent' } : fileAt(path),
    ...(noexec === undefined ? {} : { noexec }),
  };
};
