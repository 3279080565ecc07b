import { sha256 } from './files.js';
import { stateOf } from './hash.js';

interface Origin {
  readonly path: string;
  /** What the file was when it was opened. */
  readonly state: string;
}

const origins = new WeakMap<object, Origin>();
const hashes = new Map<string, Promise<string>>(); // by path and state: each file is read once in a process

/** Notes which file something was opened from, for `originHash`. */
export const cameFrom = async <T extends object>(opened: T, path: string): Promise<T> => {
  const state = await stateOf(path).catch(() => undefined); // gone by now: it has no hash
  if (state !== undefined) origins.set(opened, { path, state });
  return opened;
};

/** SHA-256 of a file as it is now. Files of several GB take seconds the first time, none later. */
export const fileHash = async (path: string): Promise<string> => {
  const key = `${path} ${await stateOf(path)}`;
  const known = hashes.get(key);
  if (known) return known;
  const hash = sha256(path);
  hashes.set(key, hash);
  hash.catch(() => hashes.delete(key));
  return hash;
};

/** SHA-256 of the file that something was opened from; undefined where nobody noted it or the file is another by now. */
export const originHash = async (opened: object): Promise<string | undefined> => {
  const origin = origins.get(opened);
  if (!origin) return undefined;
  try {
    const hash = (await stateOf(origin.path)) === origin.state ? await fileHash(origin.path) : undefined;
    return (await stateOf(origin.path)) === origin.state ? hash : undefined;
  } catch {
    return undefined; // gone, or unreadable: a run does not fail for its record
  }
};
