import { group, type Rows } from '../row.js';
import { WINDOW_MODES } from './reference.js';

/** Rows of a call of `generate`: where in the run guidance acts. */
export const GUIDANCE_WINDOW = {
  guidanceStart: {
    type: 'number',
    range: [0, 1],
    unit: 'of the run',
    default: 0,
    flag: '--guidance-start <n>',
    acts: 'guidance',
    says: 'Where in the run guidance begins; outside its window steps cost half: docs/less.md',
    record: true,
  },
  guidanceEnd: {
    type: 'number',
    range: [0, 1],
    unit: 'of the run',
    default: 1,
    flag: '--guidance-end <n>',
    acts: 'guidance',
    says: 'Where in the run guidance ends',
    record: true,
  },
  guidanceWindowMode: {
    type: 'choice',
    names: WINDOW_MODES,
    default: 'step',
    flag: '--guidance-window-mode <name>',
    acts: 'guidance',
    says: 'Whether guidanceStart and guidanceEnd are shares of the steps or of the training timesteps',
    record: true,
  },
} as const satisfies Rows;

/** Rows of a call of `generate`: what steps do with deep features. */
export const DEEP_FEATURES = {
  reuse: {
    type: 'special',
    expects: 'an object of options',
    default: null,
    flag: { none: '--reuse-every' },
    acts: 'steps',
    says: 'Deep features reused from step to step: { every }: docs/less.md',
    record: true,
  },
  freeU: {
    type: 'special',
    expects: 'true or an object of factors',
    default: null,
    flag: '--free-u',
    acts: 'steps',
    says: 'FreeU: true, or { b1, b2, s1, s2 }: docs/less.md',
    help: "FreeU with the family's factors",
    record: true,
  },
} as const satisfies Rows;

/** Which steps compute the deep features, and which reuse them. */
export const REUSE = group({
  call: 'reuse',
  documented: { names: ['ReuseOptions'], file: 'run/less.ts' },
  rooms: ['run'],
  rows: {
    every: {
      type: 'whole',
      range: [1, 10],
      unit: 'steps',
      default: null,
      required: true,
      flag: '--reuse-every <n>',
      acts: 'steps',
      says: 'Every how many steps the whole network is computed; 1 is off',
      help: 'Compute the whole network every so many steps, and its outermost level alone in between',
      record: true,
    },
  },
  later: [],
});

/** What FreeU multiplies by where nobody says, by family. source: the authors' recommendation, as diffusers documents it */
export const FREE_U_FACTORS = {
  sd15: { b1: 1.5, b2: 1.6, s1: 0.9, s2: 0.2 },
  sdxl: { b1: 1.3, b2: 1.4, s1: 0.9, s2: 0.2 },
} as const;

const { sd15, sdxl } = FREE_U_FACTORS;
const ofBoth = (name: keyof typeof sd15) => ({ otherwise: `${sd15[name]} (SD1.5) or ${sdxl[name]} (SDXL)` });
const FACTOR = { type: 'number', range: [0, 4], unit: 'factor', acts: 'steps' } as const;

/** How FreeU weighs what the first two blocks on the way up read. */
export const FREE_U = group({
  call: 'freeU',
  documented: { names: ['FreeUOptions'], file: 'run/less.ts' },
  rooms: ['run'],
  rows: {
    b1: {
      ...FACTOR,
      default: ofBoth('b1'),
      flag: '--free-u-b1 <n>',
      says: 'Half of the channels of the hidden state, first block on the way up',
      record: true,
    },
    b2: {
      ...FACTOR,
      default: ofBoth('b2'),
      flag: '--free-u-b2 <n>',
      says: 'The same of the second block',
      record: true,
    },
    s1: {
      ...FACTOR,
      default: sd15.s1,
      flag: '--free-u-s1 <n>',
      says: 'The lowest frequencies of the skips of the first block',
      record: true,
    },
    s2: {
      ...FACTOR,
      default: sd15.s2,
      flag: '--free-u-s2 <n>',
      says: 'The same of the second block',
      record: true,
    },
  },
  later: [],
});
