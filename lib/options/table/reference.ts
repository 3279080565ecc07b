import { group } from '../row.js';
import { MISSING_RULE, OUTLIER_RULE, PICK_FACE } from './shared.js';

/** What start and end are fractions of. */
export const WINDOW_MODES = ['step', 'sigma'] as const;

/** How strength is spread over a model's transformers. */
export const WEIGHT_TYPES = [
  'linear',
  'ease in',
  'ease out',
  'ease in-out',
  'reverse in-out',
  'weak input',
  'weak middle',
  'weak output',
  'strong middle',
  'style transfer',
  'composition',
  'strong style transfer',
  'style and composition',
  'strong style and composition',
  'style transfer precise',
  'composition precise',
] as const;

/** How several pictures of one reference act together. */
export const COMBINE = [
  'concat',
  'average',
  'norm average',
  'add',
  'subtract',
  'max',
  'min',
  'token average',
  'separate',
  'best',
] as const;

/** What a scale multiplies. */
export const EMBEDS_SCALINGS = ['V only', 'K+V', 'K+V w/ C penalty', 'K+mean(V) w/ C penalty'] as const;

/** What weights of pictures multiply. */
export const WEIGHT_MODES = ['value', 'embed'] as const;

/** How a mask is brought to the network's grids of tokens. */
export const MASK_MODES = ['linear', 'diffusers', 'comfy'] as const;

/** How a picture becomes the square that an image encoder reads. */
export const FITS = ['crop', 'squash', 'pad'] as const;
export const ANCHORS = ['center', 'top', 'bottom', 'left', 'right'] as const;

/** The picture that stands for none, where the unconditional side is one. */
export const UNCONDS = ['grey', 'black'] as const;

const CODE_ONLY = { none: 'a value of a program' } as const;

/** One image prompt of a run. */
export const REFERENCE = group({
  call: 'references[i]',
  documented: { names: ['Reference', 'ReferenceSource'], file: 'adapters/reference.ts' },
  rooms: ['adapters', 'run'],
  rows: {
    adapter: {
      type: 'special',
      expects: 'an adapter or its name',
      default: { otherwise: 'the only one attached' },
      flag: '--adapter <name|file>',
      acts: 'reference',
      says: 'Handle or name of an attached adapter',
      help: 'Adapter of the reference before it: base, plus, faceid … or a file',
      record: true,
    },
    image: {
      type: 'special',
      expects: 'a path, the bytes of a picture, a sharp instance or raw pixels',
      default: null,
      flag: '--reference <file>',
      acts: 'reference',
      says: 'The picture; exactly one of image, images, face and embedding is given',
      help: 'A reference picture; may be repeated',
    },
    images: {
      type: 'special',
      expects: 'a list of 1 to 16 pictures',
      range: [1, 16],
      unit: 'pictures',
      default: null,
      flag: { none: 'a further --reference without --adapter is one more' },
      acts: 'reference',
      says: 'Several pictures of one image prompt',
      record: true,
    },
    face: {
      type: 'special',
      expects: 'what FaceAnalyzer.identity gives',
      default: null,
      flag: CODE_ONLY,
      acts: 'face',
      says: 'A face that was analysed before',
    },
    embedding: {
      type: 'special',
      expects: 'an Embedding',
      default: null,
      flag: CODE_ONLY,
      acts: 'reference',
      says: 'What adapter.encode read from pictures, in their place',
    },
    scale: {
      type: 'special',
      expects: 'a number from -1 to 5, or one of the notations by block',
      range: [-1, 5],
      unit: 'factor',
      default: { value: 1, otherwise: "the model's own" },
      flag: '--scale <scale>',
      acts: 'reference',
      says: 'Strength, one number or by block such as "3:2.5, 6:1"',
      help: 'Strength of the reference before it, one number or by block such as "3:2.5, 6:1"',
      record: true,
    },
    loraScale: {
      type: 'number',
      range: [0, 2],
      unit: 'factor',
      default: { otherwise: 'as attached' },
      flag: '--lora-scale <n>',
      acts: 'weights',
      says: "Strength of a FaceID adapter's own LoRA in this run",
      record: true,
    },
    weights: {
      type: 'special',
      expects: 'a list of numbers from 0 to 10, one per image, or "quality"',
      range: [0, 10],
      unit: 'factor',
      default: { otherwise: 'all 1' },
      flag: CODE_ONLY,
      acts: 'reference',
      says: 'One number per image: how much it counts among them; quality: as well as each face can be recognised',
      record: true,
    },
    weightMode: {
      type: 'choice',
      names: WEIGHT_MODES,
      default: 'value',
      flag: CODE_ONLY,
      acts: 'reference',
      says: "What weights multiply: what a picture adds, or what its encoder gave, as ComfyUI's nodes do",
      record: true,
    },
    combine: {
      type: 'choice',
      names: COMBINE,
      default: { otherwise: 'concat, average for FaceID and FaceID Plus' },
      flag: '--combine <name>',
      acts: 'reference',
      says: 'How several pictures act together: tokens side by side, one input or one set of tokens out of all, each apart, or the best face alone',
      record: true,
    },
    renormalize: {
      type: 'flag',
      default: true,
      flag: { none: 'it is there to compare with other programs' },
      acts: 'face',
      says: 'Bring a combined identity back to length 1, as the projector was trained',
      record: true,
    },
    mask: {
      type: 'special',
      expects: 'a path, the bytes of a picture, a sharp instance or raw pixels',
      default: null,
      flag: '--mask <file>',
      acts: 'reference',
      says: 'Where in the picture it acts: white fully, black not at all; stretched over the picture',
      help: 'Where in the picture the reference before it acts: white fully, black not at all',
      record: true,
    },
    maskMode: {
      type: 'choice',
      names: MASK_MODES,
      default: 'linear',
      flag: '--mask-mode <name>',
      acts: 'reference',
      says: "How a mask is brought to the network's grids: greys kept, or as diffusers or ComfyUI's nodes do it",
      record: true,
    },
    negative: {
      type: 'special',
      expects: 'a path, the bytes of a picture, a sharp instance or raw pixels',
      default: null,
      flag: '--negative <file>',
      acts: 'guidance',
      says: 'A picture to steer away from, in place of none',
      help: 'A picture to steer away from, beside the reference before it',
    },
    uncond: {
      type: 'choice',
      names: UNCONDS,
      default: 'grey',
      flag: '--uncond <name>',
      acts: 'guidance',
      says: "The picture that stands for none: grey as in training, black as ComfyUI's nodes take it",
      record: true,
    },
    fit: {
      type: 'choice',
      names: FITS,
      default: 'crop',
      flag: '--fit <name>',
      acts: 'reference',
      says: 'How the picture becomes the square that the image encoder reads; pad adds black bars',
      record: true,
    },
    anchor: {
      type: 'choice',
      names: ANCHORS,
      default: 'center',
      flag: '--anchor <name>',
      acts: 'reference',
      says: 'What crop keeps of the picture, and where it lies in pad',
      record: true,
    },
    start: {
      type: 'number',
      range: [0, 1],
      unit: 'of the run',
      default: 0,
      flag: '--start <n>',
      acts: 'reference',
      says: 'Where in the run it begins to act',
      record: true,
    },
    end: {
      type: 'number',
      range: [0, 1],
      unit: 'of the run',
      default: 1,
      flag: '--end <n>',
      acts: 'reference',
      says: 'Where in the run it ceases to act',
      record: true,
    },
    windowMode: {
      type: 'choice',
      names: WINDOW_MODES,
      default: 'step',
      flag: '--window-mode <name>',
      acts: 'reference',
      says: 'What start and end are fractions of: the steps of the run, or the training timesteps (sigma)',
      record: true,
    },
    weightType: {
      type: 'choice',
      names: WEIGHT_TYPES,
      default: 'linear',
      flag: '--weight-type <name>',
      acts: 'reference',
      says: "How scale is spread over the network's transformers, by the names of ComfyUI's nodes",
      record: true,
    },
    embedsScaling: {
      type: 'choice',
      names: EMBEDS_SCALINGS,
      default: 'V only',
      flag: '--embeds-scaling <name>',
      acts: 'reference',
      says: "What scale multiplies: the values, or the keys too, by the names of ComfyUI's nodes",
      record: true,
    },
    compositionImage: {
      type: 'special',
      expects: 'a path, the bytes of a picture, a sharp instance or raw pixels',
      default: null,
      flag: '--composition-image <file>',
      acts: 'reference',
      says: 'A picture for the transformers that make the composition, in place of the reference',
      help: 'A picture for the composition, in place of the reference before it',
    },
    compositionScale: {
      type: 'number',
      range: [-1, 5],
      unit: 'factor',
      default: { otherwise: 'as scale' },
      flag: '--composition-scale <n>',
      acts: 'reference',
      says: 'Strength of the composition in the weight types "style and composition"',
      record: true,
    },
    boost: {
      type: 'number',
      range: [-1, 5],
      unit: 'factor',
      default: { otherwise: 'as scale' },
      flag: '--boost <n>',
      acts: 'reference',
      says: 'How much the precise weight types push away what is not asked for',
      record: true,
    },
    structureScale: {
      type: 'number',
      range: [0, 2],
      unit: 'factor',
      default: 1,
      flag: '--structure-scale <n>',
      acts: 'reference',
      says: "FaceID Plus v2: how much the face's picture counts beside its identity",
      record: true,
    },
    pickFace: { ...PICK_FACE, record: true },
    outliers: OUTLIER_RULE,
    onMissing: { ...MISSING_RULE, record: true },
  },
  later: ['passes', 'clipMask'],
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
