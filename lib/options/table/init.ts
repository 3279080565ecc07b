import { group } from '../row.js';
import { PICK_FACE } from './shared.js';

/** What stands where a picture is painted anew, when the run begins. */
export const FILLS = ['original', 'noise', 'blur'] as const;

/** How the picture's latents are taken from the VAE. */
export const POSTERIORS = ['sample', 'mode'] as const;

/** Strengths where nobody gives one. source: diffusers' pipelines of each family */
export const STRENGTHS = { sd15: { whole: 0.8, masked: 1 }, sdxl: { whole: 0.3, masked: 0.9999 } } as const;

const { sd15, sdxl } = STRENGTHS;

/** A picture that a run begins with. */
export const INIT = group({
  call: 'init',
  documented: { names: ['InitOptions'], file: 'init/options.ts' },
  rooms: ['init', 'run'],
  rows: {
    image: {
      type: 'special',
      expects: 'a path, the bytes of a picture, a sharp instance or raw pixels',
      default: null,
      required: true,
      flag: '--init <file>',
      acts: 'picture',
      says: 'The picture to begin with, resized to width and height',
      help: 'A picture to begin with',
      record: true,
    },
    strength: {
      type: 'number',
      range: [0, 1],
      unit: 'of the run',
      default: {
        otherwise: `${sd15.whole} (SD1.5) or ${sdxl.whole} (SDXL), with mask ${sd15.masked} or ${sdxl.masked}`,
      },
      flag: '--strength <n>',
      acts: 'steps',
      says: 'How much of the run is done: 0 keeps the picture, 1 paints it anew',
      record: true,
    },
    mask: {
      type: 'special',
      expects: 'a picture, or "face"',
      default: { otherwise: 'the whole picture is painted' },
      flag: '--init-mask <file|face>',
      acts: 'picture',
      says: 'Where it is painted anew: white; or face, a soft ellipse around the chosen face',
      record: true,
    },
    maskPadding: {
      type: 'whole',
      range: [0, 512],
      unit: 'px',
      default: { otherwise: 'the whole picture is drawn' },
      flag: '--mask-padding <px>',
      acts: 'picture',
      says: 'Draw only the part around the mask, with so much of what is beside it, at full width and height',
      record: true,
    },
    maskBlur: {
      type: 'whole',
      range: [0, 256],
      unit: 'px',
      default: { otherwise: '4 with maskPadding, else 0' },
      flag: '--mask-blur <px>',
      acts: 'picture',
      says: 'Over how many pixels inside its edge what was painted fades in',
      record: true,
    },
    fill: {
      type: 'choice',
      names: FILLS,
      default: 'original',
      flag: '--fill <name>',
      acts: 'picture',
      says: 'What the run begins with where it is painted anew: the picture, noise, or the colours around it',
      record: true,
    },
    colorMatch: {
      type: 'flag',
      default: false,
      flag: '--color-match',
      acts: 'picture',
      says: 'Give what was painted the colours of a ring around the mask: mean and spread of each Lab channel',
      record: true,
    },
    pickFace: { ...PICK_FACE, flag: '--init-pick-face <rule>', says: 'Which face mask "face" means', record: true },
    posterior: {
      type: 'choice',
      names: POSTERIORS,
      default: 'sample',
      flag: '--posterior <name>',
      acts: 'noise',
      says: "Whether the picture's latents are drawn from what the VAE says of them, or are its likeliest",
      record: true,
    },
  },
  later: [],
});
