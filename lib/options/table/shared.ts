import type { Row } from '../row.js';

/** Rules that choose among the faces of a picture. */
export const FACE_RULES = ['largest', 'best', 'score', 'center', 'left', 'only', 'all'] as const;

/** What happens to faces that do not seem to be of the person that the others show. */
export const OUTLIERS = ['warn', 'drop', 'error', 'off'] as const;

/** What happens to a picture of several without a face. */
export const ON_MISSING = ['error', 'skip'] as const;

// Rows that several calls have. Where only the flag differs, a group spreads the row and gives its own.

export const LOAD_SIGNAL = {
  type: 'signal',
  default: null,
  flag: { none: 'Ctrl-C cancels' },
  acts: 'load',
  says: 'Cancels the load',
} as const satisfies Row;

export const THREADS = {
  type: 'whole',
  range: [1, 256],
  unit: 'threads',
  default: { otherwise: 'the cores that this process may use' },
  flag: '--threads <n>',
  acts: 'device',
  says: 'CPU threads; IPA_THREADS sets it from outside',
} as const satisfies Row;

export const INPUT_PICTURES = {
  type: 'special',
  expects: 'an object of options',
  default: null,
  flag: { none: '--image-background, --image-max-pixels and --image-formats' },
  acts: 'input pictures',
  says: 'How pictures that come in are read',
} as const satisfies Row;

export const PICK_FACE = {
  type: 'whole',
  range: [0, 999],
  unit: 'in the order of scores',
  names: FACE_RULES,
  default: 'largest',
  flag: '--pick-face <rule>',
  acts: 'face',
  says: 'Which face of a picture with several',
} as const satisfies Row;

export const MISSING_RULE = {
  type: 'choice',
  names: ON_MISSING,
  default: 'error',
  flag: '--on-missing <name>',
  acts: 'face',
  says: 'What happens to a picture of several without a face; skip: it is left out, with a warning',
} as const satisfies Row;

export const OUTLIER_RULE = {
  type: 'choice',
  names: OUTLIERS,
  default: 'warn',
  flag: '--outliers <name>',
  acts: 'face',
  says: 'What happens to faces that do not seem to be of the person that the others show; off: several people are meant',
  record: true,
} as const satisfies Row;

export const FACE_CROP = {
  type: 'whole',
  range: [112, 1024],
  multiples: [112, 128],
  unit: 'px',
  default: 224,
  flag: '--face-crop <px>',
  acts: 'face',
  says: 'Side of the upright close-up of a face',
} as const satisfies Row;

export const ATTACHED_NAME = {
  type: 'name',
  range: [1, 100],
  default: { otherwise: "the file's name without its ending" },
  flag: { none: 'the command names files' },
  acts: 'reference',
  says: 'The name that references use',
} as const satisfies Row;
