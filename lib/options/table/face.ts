import { group } from '../row.js';

/** Rules that choose among the faces of a picture. */
export const FACE_RULES = ['largest', 'score', 'center', 'left', 'only', 'all'] as const;

const CODE_ONLY = { none: 'the command draws pictures' } as const;

/** Files of a face detector and a face recogniser. */
export const FACE_FILES = group({
  call: 'face of addAdapter, FaceAnalyzer.load(files)',
  documented: { names: ['FaceFiles'], file: 'faces/options.ts' },
  rooms: ['faces'],
  rows: {
    detector: {
      type: 'path',
      default: null,
      required: true,
      flag: '--detector <file>',
      acts: 'face',
      says: 'Face detector, .onnx',
    },
    recognizer: {
      type: 'path',
      default: null,
      required: true,
      flag: '--recognizer <file>',
      acts: 'face',
      says: 'Face recogniser, .onnx',
    },
    detSize: {
      type: 'whole',
      range: [32, 4096],
      multiples: [32],
      names: ['auto'],
      unit: 'px',
      default: 'auto',
      flag: '--det-size <px>',
      acts: 'face',
      says: "Side of the detector's canvas; auto: the family's own, else 640 and then smaller ones",
    },
    detThreshold: {
      type: 'number',
      range: [0, 1],
      unit: 'score',
      default: 0.5,
      flag: '--det-threshold <n>',
      acts: 'face',
      says: 'Lowest score of a face',
    },
  },
  later: ['pickFace', 'warpFilter', 'maxNum'],
});

/** How a FaceAnalyzer is loaded. */
export const ANALYZER = group({
  call: 'FaceAnalyzer.load(files, options)',
  documented: { names: ['AnalyzerOptions'], file: 'faces/options.ts' },
  rooms: ['faces'],
  rows: {
    threads: {
      type: 'whole',
      range: [1, 256],
      unit: 'threads',
      default: { otherwise: 'the cores that this process may use' },
      flag: CODE_ONLY,
      acts: 'device',
      says: 'CPU threads; IPA_THREADS sets it from outside',
    },
    images: {
      type: 'special',
      expects: 'an object of options',
      default: null,
      flag: CODE_ONLY,
      acts: 'input pictures',
      says: 'How pictures that come in are read',
    },
    signal: { type: 'signal', default: null, flag: CODE_ONLY, acts: 'load', says: 'Cancels the load' },
  },
  later: [],
});

/** How faces are found. */
export const DETECT = group({
  call: 'analyzer.detect(image, options)',
  rooms: ['faces'],
  rows: { signal: { type: 'signal', default: null, flag: CODE_ONLY, acts: 'run', says: 'Cancels the call' } },
  later: [],
});

/** How one face is measured. */
export const IDENTITY = group({
  call: 'analyzer.identity(image, options)',
  documented: { names: ['IdentityOptions'], file: 'faces/options.ts' },
  rooms: ['faces'],
  rows: {
    pickFace: {
      type: 'whole',
      range: [0, 999],
      unit: 'in the order of scores',
      names: FACE_RULES,
      default: 'largest',
      flag: CODE_ONLY,
      acts: 'face',
      says: 'Which face of a picture with several',
    },
    faceCrop: {
      type: 'whole',
      range: [112, 1024],
      multiples: [112, 128],
      unit: 'px',
      default: 224,
      flag: CODE_ONLY,
      acts: 'face',
      says: 'Side of the close-up',
    },
    signal: { type: 'signal', default: null, flag: CODE_ONLY, acts: 'run', says: 'Cancels the call' },
  },
  later: [],
});
