import { createHash } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { readJson, sha256 } from './files.js';
import { stateOf } from './hash.js';

interface Origin {
  readonly path: string;
  /** What the file was when it was opened. */
  readonly state: string;
}

const origins = new WeakMap<object, Origin>();
const hashes = new Map<string, Promise<string>>(); // by path and state: each file is read once in a process

/** The index of weights that lie in several files. */
export const SHARDS = /\.index(\.\w+)?\.json$/i;

/** The files that weights lie in: the file itself, or an index and the shards that it names beside it. */
const filesOf = async (path: string): Promise<readonly string[]> => {
  if (!SHARDS.test(path)) return [path];
  const { weight_map: map = {} } = ((await readJson(path)) ?? {}) as { readonly weight_map?: Record<string, unknown> };
  const shards = new Set(Object.values(map).map((name) => basename(String(name))));
  return [path, ...[...shards].sort().map((name) => join(dirname(path), name))];
};

const stateOfAll = async (paths: readonly string[]): Promise<string> =>
  (await Promise.all(paths.map(stateOf))).join(', ');

/** Of one file its SHA-256; of an index that of the lines `hash  name` of its shards. */
const hashOfAll = async ([path, ...shards]: readonly string[]): Promise<string> => {
  if (shards.length === 0) return sha256(path!);
  const all = createHash('sha256');
  for (const shard of shards) all.update(`${await sha256(shard)}  ${basename(shard)}\n`);
  return all.digest('hex');
};

/** Notes which file something was opened from, for `originHash`. */
export const cameFrom = async <T extends object>(opened: T, path: string): Promise<T> => {
  const state = await filesOf(path)
    .then(stateOfAll)
    .catch(() => undefined); // gone by now: it has no hash
  if (state !== undefined) origins.set(opened, { path, state });
  return opened;
};

/** SHA-256 of a file, or of an index's shards, as they are now. Files of several GB take seconds the first time, none later. */
export const fileHash = async (path: string): Promise<string> => {
  const files = await filesOf(path);
  const key = `${path} ${await stateOfAll(files)}`;
  const known = hashes.get(key);
  if (known) return known;
  const hash = hashOfAll(files);
  hashes.set(key, hash);
  hash.catch(() => hashes.delete(key));
  return hash;
};

/** SHA-256 of the file that something was opened from; undefined where nobody noted it or the file is another by now. */
export const originHash = async (opened: object): Promise<string | undefined> => {
  const origin = origins.get(opened);
  if (!origin) return undefined;
  const isSame = async (): Promise<boolean> => (await stateOfAll(await filesOf(origin.path))) === origin.state;
  try {
    const hash = (await isSame()) ? await fileHash(origin.path) : undefined;
    return (await isSame()) ? hash : undefined;
  } catch {
    return undefined; // gone, or unreadable: a run does not fail for its record
  }
};
