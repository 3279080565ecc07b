import { group } from '../row.js';
import { LOAD_SIGNAL } from './shared.js';

/** How a picture is written. */
export const TO_FILE = group({
  call: 'image.toFile(path, options)',
  rooms: ['images'],
  rows: {
    overwrite: {
      type: 'flag',
      default: false,
      flag: { none: '--overwrite is the command line’s own' },
      acts: 'output file',
      says: 'Replace a file that exists',
    },
  },
  later: [],
});

/** How a weight file is looked at. */
export const INSPECT = group({
  call: 'inspect(file, options)',
  rooms: ['inspect'],
  rows: {
    sha256: {
      type: 'flag',
      default: true,
      flag: { none: 'info always hashes' },
      acts: 'load',
      says: "The file's hash; without it only the header is read",
    },
    signal: LOAD_SIGNAL,
  },
  later: [],
});
