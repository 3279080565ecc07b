import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { BinaryError, quoted } from '../errors.js';
import { packageResolve, packageRoot } from './package.js';

/** Platforms whose library is published as a package. */
const PUBLISHED: readonly string[] = ['linux-x64'];

const ending = process.platform === 'win32' ? 'dll' : 'so';
const here = `${process.platform}-${process.arch}`;
const BUILD = 'npx node-ip-adapter build --cuda';

/** Where a device's library is, or why there is none. `named`: the user said where, so that its absence is a mistake. */
export type Lookup = { readonly path: string } | { readonly error: BinaryError; readonly named: boolean };

const missing = (message: string, hint: string, tried: readonly string[], named = false): Lookup => ({
  error: new BinaryError('BINARY_NOT_FOUND', message, hint, { details: { tried: [...tried] } }),
  named,
});

const built = (name: string): string => join(packageRoot(), 'build-cmake', 'Release', `${name}.${ending}`);

/** The library that runs networks on NVIDIA cards: the one that is named, built here or installed. */
export const findCudaLibrary = (): Lookup => {
  const named = process.env.IPA_CUDA_LIBRARY;
  if (named) {
    const path = resolve(named);
    if (existsSync(path)) return { path };
    const what = `IPA_CUDA_LIBRARY names ${quoted(named)}, where no file is`;
    return missing(what, 'Set IPA_CUDA_LIBRARY to the path of ipa_cuda, or unset it', [path], true);
  }
  const local = built('ipa_cuda');
  if (existsSync(local)) return { path: local };
  const name = `@node-ip-adapter/cuda-${here}`;
  const manifest = packageResolve(`${name}/package.json`);
  const installed = manifest && join(dirname(manifest), `ipa_cuda.${ending}`);
  if (installed && existsSync(installed)) return { path: installed };
  const install = PUBLISHED.includes(here) ? `npm i ${name}, or where nvcc is: ` : 'Where nvcc is, build it: ';
  const hint = process.platform === 'darwin' ? 'Use device "cpu": there is no CUDA on macOS' : `${install}${BUILD}`;
  const tried = [local, installed ?? name];
  return missing(`The CUDA library is not installed; looked at ${tried.join(', ')}`, hint, tried);
};

/** The stand-in for a card that this project's own tests run on; in a clone alone. */
export const findEmulatedLibrary = (): Lookup => {
  const path = built('ipa_emulated');
  if (existsSync(path)) return { path };
  const hint = 'In a clone: node scripts/build-native.cjs --target ipa_emulated; elsewhere use device "cuda" or "cpu"';
  return missing(`The emulated device, which is for tests, is not built; looked at ${path}`, hint, [path]);
};
