import { group } from '../row.js';

/** Noise that may stand in for a picture to steer away from. */
export const NOISES = ['fade', 'dissolve', 'gaussian', 'shuffle'] as const;

const OF_PROGRAMS = { none: '--negative takes a picture' } as const;

/** Noise made of the reference, to steer away from. */
export const NEGATIVE_NOISE = group({
  call: 'references[i].negative',
  documented: { names: ['NegativeNoise'], file: 'adapters/negative.ts' },
  rooms: ['adapters'],
  rows: {
    noise: {
      type: 'choice',
      names: NOISES,
      default: null,
      required: true,
      flag: OF_PROGRAMS,
      acts: 'guidance',
      says: "What becomes of the reference's picture, by the names of ComfyUI's nodes",
    },
    strength: {
      type: 'number',
      range: [0, 1],
      unit: 'share',
      default: 1,
      flag: OF_PROGRAMS,
      acts: 'guidance',
      says: 'How much of it is noise',
    },
    blur: {
      type: 'whole',
      range: [0, 32],
      unit: 'px',
      default: 0,
      flag: OF_PROGRAMS,
      acts: 'guidance',
      says: 'Kernel of a Gaussian blur of what comes out, 0 for none',
    },
  },
  later: [],
});
