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

/** How the files of a run record are found. */
export const RECIPE = group({
  call: 'recipeOf(record, options)',
  documented: { names: ['RecipeOptions'], file: 'record/recipe.ts' },
  rooms: ['record'],
  rows: {
    search: {
      type: 'special',
      expects: 'a list of at most 64 folders',
      range: [0, 64],
      unit: 'folders',
      default: { otherwise: 'the bundled model and what was fetched' },
      flag: { none: '--search, of generate' },
      acts: 'load',
      says: 'Folders in which pictures and weights are looked for, by their hashes',
    },
    model: {
      type: 'path',
      default: { otherwise: "the record's" },
      flag: { none: '--model' },
      acts: 'load',
      says: 'A model in place of the recorded one, which is not looked for then',
    },
    signal: LOAD_SIGNAL,
  },
  later: [],
});
