import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** The version of this package, such as `0.1.0`. */
export const version: string = (require('../../package.json') as { version: string }).version;
