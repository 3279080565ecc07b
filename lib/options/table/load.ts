import { MAX_PROMPT_CHARS } from '../../prompt/index.js';
import { group } from '../row.js';
import { INPUT_PICTURES, LOAD_SIGNAL, THREADS } from './shared.js';

/** Formats that the option images.formats adds. */
export const MORE_FORMATS = ['gif', 'tiff', 'avif', 'svg'] as const;

/** How a model is loaded. */
export const LOAD = group({
  call: 'Pipeline.load(path, options)',
  documented: { names: ['LoadOptions'], file: 'models/options.ts' },
  rooms: ['models'],
  rows: {
    device: {
      type: 'special',
      expects: 'auto, cpu, cuda, cuda:0, cuda:1 … or emulated',
      default: 'auto',
      flag: '--device <name>',
      acts: 'device',
      says: 'Where networks run; auto: a card that can be used, else the CPU; IPA_DEVICE sets it from outside',
    },
    dtype: {
      type: 'choice',
      names: ['auto', 'f32', 'f16', 'bf16'],
      default: 'auto',
      flag: '--dtype <type>',
      acts: 'device',
      says: 'What networks multiply with, sums are f32 always; auto: f16 on a card, bf16 on a CPU that is faster with it, else f32; f16 is for cards',
    },
    threads: THREADS,
    maxQueue: {
      type: 'whole',
      range: [1, 10_000],
      unit: 'runs',
      default: 64,
      flag: { none: 'a process draws one run' },
      acts: 'run',
      says: 'Runs that may wait',
    },
    maxPromptChars: {
      type: 'whole',
      range: [1, MAX_PROMPT_CHARS],
      unit: 'UTF-16 units',
      default: MAX_PROMPT_CHARS,
      flag: { none: 'it protects a server' },
      acts: 'text',
      says: 'Longest prompt',
    },
    memory: {
      type: 'special',
      expects: 'an object of options',
      default: null,
      flag: { none: '--memory-budget and --offload' },
      acts: 'device',
      says: 'How much memory networks may take',
    },
    images: INPUT_PICTURES,
    strict: {
      type: 'flag',
      default: false,
      flag: '--strict',
      acts: 'load',
      says: 'Some warnings become errors',
    },
    vae: {
      type: 'path',
      default: { otherwise: "the model's own" },
      flag: '--vae <path>',
      acts: 'picture',
      says: 'File or folder of another VAE, or of a tiny autoencoder (TAESD)',
    },
    sha256: {
      type: 'special',
      expects: 'a SHA-256 of 64 hexadecimal digits, or an object with those of unet, vae, text_encoder, text_encoder_2',
      default: null,
      flag: { none: 'sha256sum checks files on the command line' },
      acts: 'load',
      says: 'What the content of the file, or of the parts of a folder, must be, checked before a tensor is read',
    },
    previewVae: {
      type: 'path',
      default: { otherwise: "the model's own" },
      flag: '--preview-vae <path>',
      acts: 'picture',
      says: 'What decodes previews: best a tiny autoencoder (TAESD), which takes little time',
    },
    allowNonFinite: {
      type: 'flag',
      default: false,
      flag: '--allow-non-finite',
      acts: 'weights',
      says: 'Load weights with NaN or infinity in them',
    },
    logger: {
      type: 'special',
      expects: 'a logger with the methods warn, info …',
      default: null,
      flag: { none: 'the command writes to stderr' },
      acts: 'load',
      says: 'Takes warnings, in the shape of pino',
    },
    onProgress: {
      type: 'function',
      default: null,
      flag: { none: 'the command shows a bar' },
      acts: 'load',
      says: 'Called with the bytes read so far',
    },
    signal: LOAD_SIGNAL,
  },
  later: [],
});

/** How much memory networks may take. */
export const MEMORY = group({
  call: 'memory, of Pipeline.load',
  documented: { names: ['MemoryOptions'], file: 'models/memory.ts' },
  rooms: ['models'],
  rows: {
    budget: {
      type: 'special',
      expects: 'bytes or a size such as "10GB"',
      default: { otherwise: 'what is free on the card; on the CPU no limit' },
      flag: '--memory-budget <size>',
      acts: 'device',
      says: 'Bytes for weights and the values of a run; what a card has no room for waits on the host or comes over in every step',
    },
    offload: {
      type: 'choice',
      names: ['auto', 'always', 'never'],
      default: 'auto',
      flag: '--offload <when>',
      acts: 'device',
      says: 'When networks that wait leave memory: as the budget needs it, as soon as another stage begins, or not',
    },
    vaeTiling: {
      type: 'choice',
      names: ['auto', 'always', 'never'],
      default: 'auto',
      flag: '--vae-tiling <how>',
      acts: 'picture',
      says: 'Whether the VAE runs tile by tile, blended where tiles overlap; auto: in bands without seams, where it does not fit whole',
    },
  },
  later: [],
});

/** How pictures that come in are read. */
export const IMAGES = group({
  call: 'images, of Pipeline.load and FaceAnalyzer.load',
  documented: { names: ['ImageOptions'], file: 'images/limits.ts' },
  rooms: ['images'],
  rows: {
    background: {
      type: 'special',
      expects: 'a colour such as "#ffffff"',
      default: '#ffffff',
      flag: '--image-background <colour>',
      acts: 'input pictures',
      says: 'The colour behind transparent pictures',
    },
    maxPixels: {
      type: 'whole',
      range: [256, 2 ** 31 - 1],
      unit: 'px',
      default: 33_554_432,
      flag: '--image-max-pixels <n>',
      acts: 'input pictures',
      says: 'The most pixels of a picture, checked before it is decoded',
    },
    formats: {
      type: 'special',
      expects: `a list of ${MORE_FORMATS.join(', ')}`,
      names: MORE_FORMATS,
      default: { otherwise: 'none of them' },
      flag: '--image-formats <names>',
      acts: 'input pictures',
      says: 'Formats that are taken beside JPEG, PNG and WebP: of an animation the first frame, of a drawing its own size',
    },
  },
  later: [],
});
