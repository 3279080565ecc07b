import { group } from '../row.js';
import { CODE_ONLY, REFERENCE } from './reference.js';

const { adapter, image, scale } = REFERENCE.rows;

/** One person of a run, in short: a reference with a place in the picture. */
export const FACE_REFERENCE = group({
  call: 'faces[i]',
  documented: { names: ['FaceReference'], file: 'adapters/face-reference.ts' },
  rooms: ['adapters'],
  rows: {
    image: {
      ...image,
      required: true,
      flag: '--face <file>',
      acts: 'face',
      says: 'A picture of the person',
      help: 'A picture of a person who gets a region; may be repeated',
    },
    region: {
      type: 'special',
      expects: 'a box [x, y, width, height] in fractions from 0 to 1, or a picture',
      range: [0, 1],
      unit: 'of the picture',
      default: { otherwise: 'the whole picture' },
      flag: '--region <x,y,w,h|file>',
      acts: 'reference',
      says: 'Where the person is: a box [x, y, width, height] from the top left, in fractions of the picture, or a mask',
      help: 'Where the --face before it is: a box in fractions of the picture from the top left, or a mask',
    },
    scale: { ...scale, flag: { none: '--scale speaks of the --face before it' }, says: 'Strength, as of a reference' },
    adapter: { ...adapter, flag: { none: '--adapter speaks of the --face before it' } },
  },
  later: [],
});

/** A face given instead of a picture. */
export const GIVEN_FACE = group({
  call: 'references[i].face',
  documented: { names: ['GivenFace'], file: 'adapters/reference.ts' },
  rooms: ['adapters'],
  rows: {
    identity: {
      type: 'special',
      expects: 'a Float32Array of the recogniser',
      default: null,
      required: true,
      flag: CODE_ONLY,
      acts: 'face',
      says: "The recogniser's raw numbers",
    },
    crop: {
      type: 'special',
      expects: 'a picture of the upright, centred face',
      default: null,
      flag: CODE_ONLY,
      acts: 'face',
      says: 'An aligned close-up, which FaceID Plus reads beside the identity',
    },
  },
  later: [],
});
