import { group } from '../row.js';
import { REFERENCE } from './reference.js';
import { ATTACHED_NAME, FACE_CROP, LOAD_SIGNAL, MISSING_RULE, PICK_FACE } from './shared.js';

/** How an adapter is attached. */
export const ADAPTER = group({
  call: 'pipe.addAdapter(file, options)',
  documented: { names: ['AddAdapterOptions'], file: 'adapters/options.ts' },
  rooms: ['adapters'],
  rows: {
    encoder: {
      type: 'path',
      default: { otherwise: "looked for beside the adapter, in the model's folder, then among fetched ones" },
      flag: '--encoder <path>',
      acts: 'reference',
      says: 'Folder, file or name of the CLIP image encoder',
    },
    face: {
      type: 'special',
      expects: 'files of face networks, or a FaceAnalyzer',
      default: null,
      flag: { none: '--detector and --recognizer' },
      acts: 'face',
      says: 'Face networks, for the FaceID variants and cropFace',
    },
    name: ATTACHED_NAME,
    lora: {
      type: 'path',
      default: null,
      flag: '--adapter-lora <path>',
      acts: 'weights',
      says: 'File of the LoRA that a FaceID adapter was trained with; never applied twice: one inside acts',
    },
    loraScale: {
      type: 'number',
      range: [0, 2],
      unit: 'factor',
      default: 1,
      flag: { none: '--lora-scale sets it for the reference' },
      acts: 'weights',
      says: "Strength of a FaceID adapter's LoRA",
    },
    version: {
      type: 'choice',
      names: ['v1', 'v2'],
      default: { otherwise: "known by the file's hash, else v2 with a warning" },
      flag: '--adapter-version <name>',
      acts: 'reference',
      says: 'FaceID Plus: v1 and v2 have the same tensors',
    },
    faceCrop: FACE_CROP,
    cropFace: {
      type: 'flag',
      default: { otherwise: 'true for full-face adapters, and files and presets that are named plus-face' },
      flag: '--crop-face',
      acts: 'face',
      says: 'Cut the chosen face out of pictures, with room around it, for adapters that read close-ups; needs face',
      help: 'Cut the chosen face out of pictures; on for full-face and plus-face adapters that have face networks',
    },
    preset: {
      type: 'special',
      expects: 'a preset or preprocessor of ComfyUI or A1111, or the name of a published adapter',
      default: null,
      flag: '--preset <name>',
      acts: 'reference',
      says: 'What another tool calls the adapter, such as "PLUS FACE (portraits)": held to what the file is',
    },
    sha256: {
      type: 'special',
      expects: 'a SHA-256 of 64 hexadecimal digits',
      default: null,
      flag: { none: 'sha256sum checks files on the command line' },
      acts: 'load',
      says: 'What the content of the file must be, checked before anything of it is used',
    },
    signal: LOAD_SIGNAL,
  },
  later: [],
});

/** How a LoRA is attached. */
export const LORA = group({
  call: 'pipe.addLora(file, options)',
  documented: { names: ['AddLoraOptions'], file: 'loras/options.ts' },
  rooms: ['loras'],
  rows: {
    name: { ...ATTACHED_NAME, acts: 'weights', says: 'The name that <lora:name:w> uses' },
    scale: {
      type: 'number',
      range: [-2, 2],
      unit: 'factor',
      default: 1,
      flag: { none: '<lora:name:w> in the prompt sets it' },
      acts: 'weights',
      says: 'Strength; <lora:name:w> in a prompt sets it for one run',
    },
    textScale: {
      type: 'number',
      range: [-2, 2],
      unit: 'factor',
      default: { otherwise: 'as scale' },
      flag: { none: '<lora:name:te:unet> in the prompt sets it' },
      acts: 'weights',
      says: 'Strength in the text encoders; <lora:name:te:unet> in a prompt sets both for one run',
    },
    signal: LOAD_SIGNAL,
  },
  later: [],
});

/** How a text embedding is attached. */
export const TEXT_EMBEDDING = group({
  call: 'pipe.addTextEmbedding(file, options)',
  documented: { names: ['AddTextEmbeddingOptions'], file: 'words/options.ts' },
  rooms: ['words'],
  rows: {
    token: {
      ...ATTACHED_NAME,
      default: { otherwise: "what the file says, else the file's name without its ending" },
      acts: 'text',
      says: 'The word of prompts that stands for its vectors',
    },
    signal: LOAD_SIGNAL,
  },
  later: [],
});

const OF_GENERATE = { none: 'each --lora attaches one' } as const;

/** One of the LoRAs of a run. */
export const RUN_LORA = group({
  call: 'loras: [options] of pipe.generate',
  documented: { names: ['RunLora'], file: 'loras/options.ts' },
  rooms: ['loras'],
  rows: {
    lora: {
      type: 'special',
      expects: 'a handle or a name',
      default: null,
      required: true,
      flag: OF_GENERATE,
      acts: 'weights',
      says: 'An attached LoRA, or the name of a FaceID adapter’s own',
    },
    scale: {
      type: 'number',
      range: [-2, 2],
      unit: 'factor',
      default: { otherwise: 'as attached' },
      flag: OF_GENERATE,
      acts: 'weights',
      says: 'Strength in this run',
    },
    textScale: {
      type: 'number',
      range: [-2, 2],
      unit: 'factor',
      default: { otherwise: 'as scale, without it as attached' },
      flag: OF_GENERATE,
      acts: 'weights',
      says: 'Strength in the text encoders in this run',
    },
  },
  later: [],
});

const OF_THE_RUN = { none: 'the command line reads pictures in the run' } as const;

/** How pictures are read for an embedding. */
export const ENCODE = group({
  call: 'adapter.encode(images, options)',
  documented: { names: ['EncodeOptions'], file: 'adapters/encode-options.ts' },
  rooms: ['adapters'],
  rows: {
    name: { ...ATTACHED_NAME, default: null, flag: OF_THE_RUN, says: 'Kept with the embedding' },
    pickFace: { ...PICK_FACE, flag: OF_THE_RUN },
    onMissing: { ...MISSING_RULE, flag: OF_THE_RUN },
    fit: { ...REFERENCE.rows.fit, flag: OF_THE_RUN },
    anchor: { ...REFERENCE.rows.anchor, flag: OF_THE_RUN },
    clipMask: { ...REFERENCE.rows.clipMask, flag: OF_THE_RUN },
    signal: { type: 'signal', default: null, flag: OF_THE_RUN, acts: 'reference', says: 'Cancels the reading' },
  },
  later: [],
});
