import { createRequire } from 'node:module';
import type sharp from 'sharp';

const require = createRequire(import.meta.url);
let loaded: typeof sharp | undefined;

/** sharp, loaded at its first use: importing this package loads no native code. */
export const lazySharp = (): typeof sharp => {
  loaded ??= require('sharp') as typeof sharp;
  return loaded;
};
