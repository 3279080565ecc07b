import { group } from '../row.js';

/** How an adapter is attached. */
export const ADAPTER = group({
  call: 'pipe.addAdapter(file, options)',
  documented: { names: ['AddAdapterOptions'], file: 'adapters/options.ts' },
  rooms: ['adapters'],
  rows: {
    encoder: {
      type: 'path',
      default: { otherwise: "looked for beside the adapter and in the model's folder" },
      flag: '--encoder <path>',
      acts: 'reference',
      says: 'Folder or file of the CLIP image encoder',
    },
    face: {
      type: 'special',
      expects: 'files of face networks, or a FaceAnalyzer',
      default: null,
      flag: { none: '--detector and --recognizer' },
      acts: 'face',
      says: 'Face networks, for the FaceID variants',
    },
    name: {
      type: 'name',
      range: [1, 100],
      default: { otherwise: "the file's name without its ending" },
      flag: { none: '--adapter names the file' },
      acts: 'reference',
      says: 'The name that references use',
    },
    loraScale: {
      type: 'number',
      range: [0, 2],
      unit: 'factor',
      default: 1,
      flag: { none: '--lora-scale sets it for the reference' },
      acts: 'weights',
      says: 'Strength of the LoRA inside a FaceID adapter',
    },
    version: {
      type: 'choice',
      names: ['v1', 'v2'],
      default: { otherwise: "known by the file's hash, else v2 with a warning" },
      flag: '--adapter-version <name>',
      acts: 'reference',
      says: 'FaceID Plus: v1 and v2 have the same tensors',
    },
    faceCrop: {
      type: 'whole',
      range: [112, 1024],
      multiples: [112, 128],
      unit: 'px',
      default: 224,
      flag: '--face-crop <px>',
      acts: 'face',
      says: "Side of the face's picture for FaceID Plus",
    },
    signal: {
      type: 'signal',
      default: null,
      flag: { none: 'Ctrl-C cancels' },
      acts: 'load',
      says: 'Cancels the load',
    },
  },
  later: ['lora', 'cropFace', 'preset', 'sha256'],
});

/** How a LoRA is attached. */
export const LORA = group({
  call: 'pipe.addLora(file, options)',
  documented: { names: ['AddLoraOptions'], file: 'loras/options.ts' },
  rooms: ['loras'],
  rows: {
    name: {
      type: 'name',
      range: [1, 100],
      default: { otherwise: "the file's name without its ending" },
      flag: { none: '--lora names the file' },
      acts: 'weights',
      says: 'The name that <lora:name:w> uses',
    },
    scale: {
      type: 'number',
      range: [-2, 2],
      unit: 'factor',
      default: 1,
      flag: { none: '<lora:name:w> in the prompt sets it' },
      acts: 'weights',
      says: 'Strength; <lora:name:w> in a prompt sets it for one run',
    },
    signal: {
      type: 'signal',
      default: null,
      flag: { none: 'Ctrl-C cancels' },
      acts: 'load',
      says: 'Cancels the load',
    },
  },
  later: ['textScale'],
});
