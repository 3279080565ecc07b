import { group, type Row, type Rows } from '../row.js';

/** What makes the picture larger between the passes. */
export const UPSCALERS = ['latent', 'lanczos'] as const;

/** The passes of a run that a reference or control may act in. */
export const PASSES = ['both', 'base', 'hires'] as const;

/** The row of whatever acts in a pass alone. */
export const PASSES_ROW = {
  type: 'choice',
  names: PASSES,
  default: 'both',
  acts: 'steps',
  says: 'Which passes of a run with hires it acts in',
  record: true,
} as const satisfies Omit<Row, 'flag'>;

/** Rows of a call of `generate`: a second pass, and what is shown meanwhile. */
export const SECOND_PASS = {
  hires: {
    type: 'special',
    expects: 'an object of options',
    default: null,
    flag: { none: '--hires-scale and what goes with it' },
    acts: 'picture',
    says: 'A second pass at a larger size: { scale, steps, strength, upscaler }',
    record: true,
  },
  preview: {
    type: 'special',
    expects: 'an object of options',
    default: { otherwise: 'none' },
    flag: { none: '--preview-every' },
    acts: 'run',
    says: 'Pictures of what is drawn so far, as events: { every }',
  },
} as const satisfies Rows;

/** A second pass over the picture, at a larger size. */
export const HIRES = group({
  call: 'hires',
  documented: { names: ['HiresOptions'], file: 'run/hires.ts' },
  rooms: ['run'],
  rows: {
    scale: {
      type: 'number',
      range: [1, 4],
      unit: 'factor',
      default: 2,
      flag: '--hires-scale <n>',
      acts: 'picture',
      says: 'How many times wider and higher the picture becomes, rounded to multiples of 8 px, at most 4096',
      help: 'Draw a second pass, at so many times the width and height',
      record: true,
    },
    steps: {
      type: 'whole',
      range: [0, 1000],
      unit: 'steps',
      default: 0,
      flag: '--hires-steps <n>',
      acts: 'steps',
      says: 'Steps of the second pass, of which strength leaves a part; 0: as many as the first',
      record: true,
    },
    strength: {
      type: 'number',
      range: [0, 1],
      unit: 'of the pass',
      default: 0.7,
      flag: '--hires-strength <n>',
      acts: 'steps',
      says: 'How much of the second pass is done: 0 makes the picture larger alone',
      record: true,
    },
    upscaler: {
      type: 'choice',
      names: UPSCALERS,
      default: 'latent',
      flag: '--hires-upscaler <name>',
      acts: 'picture',
      says: 'What makes it larger: latents between their neighbours, or the decoded picture by Lanczos, encoded again',
      record: true,
    },
  },
  later: [],
});

/** Pictures of a run that goes on. */
export const PREVIEW = group({
  call: 'preview',
  documented: { names: ['PreviewOptions'], file: 'run/preview.ts' },
  rooms: ['run'],
  rows: {
    every: {
      type: 'whole',
      range: [1, 1000],
      unit: 'steps',
      default: 5,
      flag: '--preview-every <n>',
      acts: 'run',
      says: 'After how many steps the event preview comes, the last step aside',
      help: 'Write what is drawn so far beside the output, after so many steps each',
    },
  },
  later: [],
});
