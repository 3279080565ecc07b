import { existsSync } from 'node:fs';
import { join, resolve, sep } from 'node:path';
import { types } from 'node:util';
import { BinaryError, toError } from '../errors.js';
import { type Found, factsOf, isCutOff, type Outcome, type Source } from './binary/facts.js';
import { loadError } from './binary/load-error.js';
import { machine } from './binary/machine.js';
import { isOtherLibc, isShipped, shippedFile } from './binary/shipped.js';
import { packageRequire, packageRoot, packageVersion } from './package.js';
import type { Addon } from './types.js';

/** The addon that was loaded, and why this one. */
export interface Loaded {
  readonly addon: Addon;
  readonly path: string;
  readonly source: Source;
  /** Places that were looked at before, and the file itself. */
  readonly tried: readonly string[];
}

// The first answer is every later one: what was loaded stays, and what failed fails alike.
let outcome: Loaded | BinaryError | undefined;

/** Where the addon was found, for `doctor`; loads it. */
export const addonPath = (): string => loadedAddon().path;

/** The addon, loaded at the first call: importing the package starts nothing. */
export const addon = (): Addon => loadedAddon().addon;

/** The addon and how it was found. */
export const loadedAddon = (): Loaded => {
  outcome ??= load();
  if (outcome instanceof BinaryError) throw outcome;
  return outcome;
};

/** What node-gyp-build finds: below build/ or prebuilds/, or where its own variables say. */
const resolvedByGyp = (root: string): string | undefined => {
  try {
    const { path } = packageRequire('node-gyp-build') as { path: (folder: string) => string };
    return path(root);
  } catch {
    return undefined; // nothing there, or a bundler's trace left node-gyp-build itself out
  }
};

/** Whose file the one is that node-gyp-build found. */
const sourceOf = (root: string, path: string): Source => {
  if (path.startsWith(join(root, 'prebuilds') + sep)) return 'prebuilds';
  return path.startsWith(join(root, 'build') + sep) ? 'build' : 'elsewhere';
};

const find = (root: string): Found => {
  const named = process.env.IPA_BINARY;
  if (named) return { source: 'IPA_BINARY', path: resolve(named), tried: [resolve(named)] };
  const local = join(root, 'build-cmake', 'Release', 'node_ip_adapter.node');
  if (existsSync(local)) return { source: 'build', path: local, tried: [local] };
  const exact = join(root, 'prebuilds', shippedFile(machine()));
  const tried = [local, join(root, 'build', 'Release'), exact];
  const path = resolvedByGyp(root);
  const source = path === undefined ? 'prebuilds' : sourceOf(root, path);
  // trap: node-gyp-build knows musl by Alpine's files alone, and takes npm's variables for another platform as this one's
  if (source === 'prebuilds' && isShipped(machine()) && existsSync(exact)) return { source, path: exact, tried };
  return path === undefined ? { source, tried } : { source, path, tried };
};

/** What lib cannot do without, whatever the version. */
const NEEDED = ['Engine', 'Stop', 'levels'] as const;

/** What is wrong with a file that was loaded; undefined where nothing is. */
const misfit = (exported: unknown): Outcome | undefined => {
  const held = (typeof exported === 'object' && exported !== null ? exported : {}) as Partial<Addon>;
  const { version } = held;
  if (typeof version === 'string' && version !== packageVersion()) return { version };
  const lacks = NEEDED.filter((name) => typeof held[name] !== 'function');
  return lacks.length > 0 ? { lacks } : undefined;
};

const load = (): Loaded | BinaryError => {
  let root: string;
  try {
    root = packageRoot();
  } catch (error) {
    return error as BinaryError; // inside a bundle
  }
  const found = find(root);
  const { path } = found;
  if (path === undefined) return loadError(factsOf(root, found, {}));
  // loading these may end the process in place of failing
  if (isOtherLibc(path, machine()) || isCutOff(path)) return loadError(factsOf(root, found, {}));
  try {
    const exported = packageRequire(path);
    const wrong = misfit(exported);
    if (wrong) return loadError(factsOf(root, found, wrong));
    return { ...found, path, addon: exported as Addon };
  } catch (error) {
    const reason = types.isNativeError(error) ? error.message : String(error);
    return loadError(factsOf(root, found, { reason }), error);
  }
};

/** Rejections of native calls become the library's own error classes. */
export const native = async <T>(call: Promise<T>): Promise<T> => {
  try {
    return await call;
  } catch (error) {
    throw toError(error);
  }
};
