import type sharp from 'sharp';
import { packageRequire } from '../native/package.js';

let loaded: typeof sharp | undefined;

/** sharp, loaded at its first use: importing this package loads no native code. */
export const lazySharp = (): typeof sharp => {
  loaded ??= packageRequire('sharp') as typeof sharp;
  return loaded;
};
