// The prebuilt files of a published package, all in the one tarball.
import type { Machine } from './machine.js';

/** Folder in prebuilds/ → the C libraries it has a file for; an empty name where a platform has one. */
export const SHIPPED: Readonly<Record<string, readonly string[]>> = {
  'linux-x64': ['glibc', 'musl'],
  'linux-arm64': ['glibc', 'musl'],
  'darwin-x64': [''],
  'darwin-arm64': [''],
  'win32-x64': [''],
};

/** The glibc that the prebuilt files need. */
export const GLIBC_FLOOR = '2.28';

/** The folder of a machine in prebuilds/. */
export const folderOf = ({ platform, arch }: Machine): string => `${platform}-${arch}`;

export const isShipped = (machine: Machine): boolean => Object.hasOwn(SHIPPED, folderOf(machine));

/** The prebuilt file of a machine, below prebuilds/; where none is published, the folder that one made there is in. */
export const shippedFile = (machine: Machine): string => {
  const folder = folderOf(machine);
  if (!isShipped(machine)) return folder;
  const libc = machine.platform === 'linux' ? [machine.libc ?? 'glibc'] : [];
  return `${folder}/${['node-ip-adapter', ...libc, 'node'].join('.')}`;
};

/** The C library that a prebuilt file is for, as its name says. */
const libcTag = (file: string): string | undefined => /\.(glibc|musl)\.node$/.exec(file)?.[1];

/** Whether a file's name says that it is for the other C library: it is not tried, since it may end the process. */
export const isOtherLibc = (path: string, { libc }: Machine): boolean => {
  const tag = libcTag(path);
  return tag !== undefined && libc !== undefined && tag !== libc;
};

/** Folders and their C libraries in few words: `darwin-arm64, linux-x64 (glibc, musl)`. */
const inWords = (folders: Readonly<Record<string, readonly string[]>>): string =>
  Object.keys(folders)
    .sort()
    .map((folder) => {
      const libcs = folders[folder]!.filter(Boolean).sort();
      return libcs.length === 0 ? folder : `${folder} (${libcs.join(', ')})`;
    })
    .join(', ');

/** What a published package has. */
export const SHIPPED_TEXT = inWords(SHIPPED);

/** What is there, of files such as `linux-x64/node-ip-adapter.musl.node`. */
export const carriedText = (files: readonly string[]): string => {
  const folders: Record<string, string[]> = {};
  for (const file of files) {
    const folder = file.split('/')[0]!;
    folders[folder] = [...(folders[folder] ?? []), libcTag(file) ?? ''];
  }
  return inWords(folders);
};
