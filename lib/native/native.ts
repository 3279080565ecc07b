import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BinaryError, toError } from '../errors.js';
import { packageRequire, packageRoot } from './package.js';
import type { Addon } from './types.js';

let loaded: { addon: Addon; path: string } | undefined;

/** Where the addon was found, for `doctor`; loads it. */
export const addonPath = (): string => load().path;

/** The addon, loaded at the first call: importing the package starts nothing. */
export const addon = (): Addon => load().addon;

const load = (): { addon: Addon; path: string } => {
  if (loaded) return loaded;
  const tried: string[] = [];
  const attempt = (path: string): { addon: Addon; path: string } => {
    try {
      return { addon: packageRequire(path) as Addon, path };
    } catch (error) {
      throw new BinaryError(
        'BINARY_INCOMPATIBLE',
        `The native addon ${path} does not load`,
        'Build it for this machine: npx node-ip-adapter build',
        {
          details: { path, reason: error instanceof Error ? error.message : String(error) },
          cause: error,
        },
      );
    }
  };
  const named = process.env.IPA_BINARY;
  if (named) {
    loaded = attempt(named);
    return loaded;
  }
  const root = packageRoot();
  const local = join(root, 'build-cmake', 'Release', 'node_ip_adapter.node');
  tried.push(local);
  if (existsSync(local)) {
    loaded = attempt(local);
    return loaded;
  }
  const find = packageRequire('node-gyp-build') as {
    resolve?: (dir: string) => string;
    path?: (dir: string) => string;
  };
  let prebuilt: string | undefined;
  try {
    prebuilt = (find.resolve ?? find.path)?.(root);
  } catch {
    tried.push(join(root, 'prebuilds'));
  }
  if (!prebuilt) {
    throw new BinaryError(
      'BINARY_NOT_FOUND',
      `No native addon for ${process.platform}-${process.arch} was found; looked at ${tried.join(', ')}`,
      'Build it here: npx node-ip-adapter build',
      { details: { tried } },
    );
  }
  loaded = attempt(prebuilt);
  return loaded;
};

/** Rejections of native calls become the library's own error classes. */
export const native = async <T>(call: Promise<T>): Promise<T> => {
  try {
    return await call;
  } catch (error) {
    throw toError(error);
  }
};
