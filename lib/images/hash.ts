import { createHash } from 'node:crypto';
import type { Pixels } from '../native/types.js';

/** SHA-256 of a picture in normal form. */
export const hashOf = ({ width, height, data }: Pixels): string =>
  createHash('sha256').update(`${width}x${height}`).update(data).digest('hex');
