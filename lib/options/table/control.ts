import { group } from '../row.js';
import { PASSES_ROW } from './hires.js';
import { ATTACHED_NAME, LOAD_SIGNAL } from './shared.js';

/** How a control shares its influence with the prompt. */
export const CONTROL_MODES = ['balanced', 'prompt', 'control', 'guess'] as const;

/** Maps that are made of a picture here. */
export const CONTROL_MAPS = ['canny'] as const;

/** How a ControlNet or T2I-Adapter is attached. */
export const CONTROL_NET = group({
  call: 'pipe.addControlNet(file, options)',
  documented: { names: ['AddControlNetOptions'], file: 'controls/options.ts' },
  rooms: ['controls'],
  rows: {
    name: { ...ATTACHED_NAME, says: 'The name that controls use' },
    signal: LOAD_SIGNAL,
  },
  later: ['sha256'],
});

/** One control of a run. */
export const CONTROL = group({
  call: 'controls[i]',
  documented: { names: ['Control'], file: 'controls/options.ts' },
  rooms: ['controls', 'run'],
  rows: {
    controlNet: {
      type: 'special',
      expects: 'a ControlNet or its name',
      default: { otherwise: 'the only one attached' },
      flag: '--control-net <file>',
      acts: 'control',
      says: 'Handle or name of an attached ControlNet or T2I-Adapter',
      help: 'ControlNet or T2I-Adapter of the control image before it',
      record: true,
    },
    image: {
      type: 'special',
      expects: 'a path, the bytes of a picture, a sharp instance or raw pixels',
      default: null,
      required: true,
      flag: '--control-image <file>',
      acts: 'control',
      says: "The map that steers the picture, stretched over it: edges, depth, a pose … as the network's authors say",
      help: 'A map that steers the picture: edges, depth, a pose …; may be repeated',
      record: true,
    },
    preprocess: {
      type: 'choice',
      names: CONTROL_MAPS,
      default: { otherwise: 'the image is a finished map' },
      flag: '--control-preprocess <name>',
      acts: 'control',
      says: 'What is made of the image first; canny: edges with thresholds 100 and 200',
      record: true,
    },
    scale: {
      type: 'number',
      range: [0, 2],
      unit: 'factor',
      default: 1,
      flag: '--control-scale <n>',
      acts: 'control',
      says: 'Strength',
      record: true,
    },
    start: {
      type: 'number',
      range: [0, 1],
      unit: 'of the run',
      default: 0,
      flag: '--control-start <n>',
      acts: 'control',
      says: 'Where in the run it begins to act',
      record: true,
    },
    end: {
      type: 'number',
      range: [0, 1],
      unit: 'of the run',
      default: 1,
      flag: '--control-end <n>',
      acts: 'control',
      says: 'Where in the run it ceases to act; a step that would go beyond is left out',
      record: true,
    },
    passes: { ...PASSES_ROW, flag: '--control-passes <name>' },
    mode: {
      type: 'choice',
      names: CONTROL_MODES,
      default: 'balanced',
      flag: '--control-mode <name>',
      acts: 'control',
      says: 'Whose word counts more: prompt weakens it towards fine detail, control does too and leaves the unconditional half alone, guess does without a prompt',
      record: true,
    },
  },
  later: [],
});
