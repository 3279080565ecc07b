import { group } from '../row.js';

const OF_THE_RUN = { none: 'a value of a program' } as const;

const rows = {
  original: {
    type: 'special',
    expects: 'width and height, whole numbers from 1 to 16384',
    range: [1, 16384],
    unit: 'px',
    default: { otherwise: "the picture's" },
    flag: OF_THE_RUN,
    acts: 'text',
    says: 'Width and height that the picture is said to have had before it was scaled',
  },
  crop: {
    type: 'special',
    expects: 'left and top, whole numbers from 0 to 16384',
    range: [0, 16384],
    unit: 'px',
    default: { otherwise: 'nothing' },
    flag: OF_THE_RUN,
    acts: 'text',
    says: 'What is said to have been cut off at the left and at the top',
  },
  target: {
    type: 'special',
    expects: 'width and height, whole numbers from 1 to 16384',
    range: [1, 16384],
    unit: 'px',
    default: { otherwise: "the picture's" },
    flag: OF_THE_RUN,
    acts: 'text',
    says: 'Width and height that are asked for',
  },
} as const;

/** What SDXL is told of sizes. */
export const SIZE = group({
  call: 'size',
  documented: { names: ['SizeOptions'], file: 'run/sizes.ts' },
  rooms: ['run'],
  rows: {
    ...rows,
    negative: {
      type: 'special',
      expects: 'an object of sizes',
      default: { otherwise: 'as these' },
      flag: OF_THE_RUN,
      acts: 'guidance',
      says: 'The same of the unconditional half',
    },
  },
  later: [],
});

/** The same of the unconditional half. */
export const NEGATIVE_SIZE = group({ call: 'size.negative', rooms: ['run'], rows, later: [] });
