import { packageVersion } from '../native/package.js';

/** The version of this package, such as `0.1.0`. */
export const version: string = packageVersion();
