import { group } from '../row.js';
import { LORA } from './attach.js';
import { LOAD_SIGNAL } from './shared.js';

const OF_COMMANDS = { none: 'the commands convert and merge have it' } as const;

/** How a model is written to files. */
export const CONVERT = group({
  call: 'convert, merge and pipe.saveMerged',
  documented: { names: ['ConvertOptions'], file: 'convert/options.ts' },
  rooms: ['convert'],
  rows: {
    dtype: {
      type: 'choice',
      names: ['f16', 'bf16', 'f32'],
      default: 'f16',
      flag: OF_COMMANDS,
      acts: 'weights',
      says: 'What numbers are rounded to, once',
    },
    overwrite: {
      type: 'flag',
      default: false,
      flag: OF_COMMANDS,
      acts: 'output file',
      says: 'Replace a file, or a folder that holds a model',
    },
    allowNonFinite: {
      type: 'flag',
      default: false,
      flag: OF_COMMANDS,
      acts: 'weights',
      says: 'Write weights with NaN or infinity in them',
    },
    onProgress: {
      type: 'function',
      default: null,
      flag: { none: 'the commands show a bar' },
      acts: 'load',
      says: 'Called with the bytes written so far',
    },
    signal: { ...LOAD_SIGNAL, says: 'Cancels it; the target stays as it was' },
  },
  later: [],
});

const OF_LORA = { none: 'the command merge takes --lora file:scale' } as const;

/** A LoRA that is merged into a file. */
export const MERGE_LORA = group({
  call: 'loras of merge',
  documented: { names: ['MergeLora'], file: 'convert/options.ts' },
  rooms: ['convert'],
  rows: {
    file: {
      type: 'path',
      default: null,
      required: true,
      flag: OF_LORA,
      acts: 'weights',
      says: 'The LoRA',
    },
    scale: { ...LORA.rows.scale, flag: OF_LORA, says: 'Strength in the UNet' },
    textScale: { ...LORA.rows.textScale, flag: OF_LORA, says: 'Strength in the text encoders' },
  },
  later: [],
});
