import { group } from '../row.js';
import { LOAD_SIGNAL } from './shared.js';

/** How a model is fetched from a hub. */
export const PULL = group({
  call: 'models.pull(name, options)',
  documented: { names: ['PullOptions'], file: 'hub/options.ts' },
  rooms: ['hub'],
  rows: {
    confirm: {
      type: 'function',
      default: null,
      required: true,
      flag: { none: 'the command pull asks; --yes answers' },
      acts: 'load',
      says: 'Is told size and licence before anything is fetched; only true goes on',
    },
    onProgress: {
      type: 'function',
      default: null,
      flag: { none: 'the command pull shows a bar' },
      acts: 'load',
      says: 'Called with the bytes that have come so far',
    },
    signal: { ...LOAD_SIGNAL, says: 'Cancels the fetch; what has come is kept for the next one' },
  },
  later: [],
});
