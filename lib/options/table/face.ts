import { group } from '../row.js';
import { FACE_CROP, INPUT_PICTURES, LOAD_SIGNAL, PICK_FACE, THREADS } from './shared.js';

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
    threads: { ...THREADS, flag: CODE_ONLY },
    images: { ...INPUT_PICTURES, flag: CODE_ONLY },
    signal: { ...LOAD_SIGNAL, flag: CODE_ONLY },
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
    pickFace: { ...PICK_FACE, flag: CODE_ONLY },
    faceCrop: { ...FACE_CROP, flag: CODE_ONLY },
    signal: { type: 'signal', default: null, flag: CODE_ONLY, acts: 'run', says: 'Cancels the call' },
  },
  later: [],
});
