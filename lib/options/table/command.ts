import { group } from '../row.js';

/** What only the command line has. */
export const COMMAND = group({
  call: 'npx node-ip-adapter generate',
  rooms: ['cli'],
  rows: {
    model: {
      type: 'path',
      default: { otherwise: 'the bundled family' },
      flag: '--model <path>',
      acts: 'load',
      says: 'A diffusers folder, one .safetensors or .ckpt file, or the name of a fetched model',
    },
    from: {
      type: 'path',
      default: null,
      flag: '--from <file>',
      acts: 'run',
      says: 'A picture to draw again by the settings in its file, ours or of A1111 or ComfyUI; what else is given wins',
    },
    search: {
      type: 'path',
      default: { otherwise: 'the bundled model and what was fetched' },
      flag: '--search <folder>',
      acts: 'run',
      says: 'Where to look for the pictures and weights of --from, by their hashes; may be repeated',
    },
    lora: {
      type: 'path',
      default: null,
      flag: '--lora <file>',
      acts: 'weights',
      says: 'A LoRA; may be repeated',
    },
    textEmbedding: {
      type: 'path',
      default: null,
      flag: '--text-embedding <file>',
      acts: 'text',
      says: 'A text embedding (textual inversion); may be repeated',
    },
    out: {
      type: 'path',
      default: 'portrait.png',
      flag: '--out <file>',
      acts: 'output file',
      says: 'Where to write: .png, .jpg or .webp',
    },
    overwrite: {
      type: 'flag',
      default: false,
      flag: '--overwrite',
      acts: 'output file',
      says: 'Replace files that exist',
    },
    json: { type: 'flag', default: false, flag: '--json', acts: 'run', says: 'The result as JSON on stdout' },
  },
  later: [],
});
