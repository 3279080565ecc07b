import { OptionError } from '../errors.js';
import type { WEIGHT_TYPES } from '../options/table/reference.js';
import type { Sites } from './scales.js';

/** How strength is spread over a model's transformers, by the names of ComfyUI's nodes. */
export type WeightType = (typeof WEIGHT_TYPES)[number];

/** What a transformer gets of a reference. */
export interface Layer {
  readonly weight: number;
  /** Guidance turns around: no tokens in the conditional half, the reference's in the unconditional one. */
  readonly swapped: boolean;
}

/** Weights that a type spreads: of the reference, of the composition, and of what a precise type pushes away. */
export interface Weights {
  readonly scale: number;
  readonly compositionScale: number;
  readonly boost: number;
}

type Run = readonly [first: number, last: number, of: keyof Weights, factor: number, swapped?: 'swapped'];

/** Transformers of SD1.5 and SDXL, in execution order; what is not listed is off. source: ComfyUI's IPAdapter nodes */
const NAMED: Readonly<Record<number, Partial<Record<WeightType, readonly Run[]>>>> = {
  16: {
    'style transfer': [
      [0, 3, 'scale', 1],
      [9, 15, 'scale', 1],
    ],
    composition: [
      [4, 4, 'scale', 0.25],
      [5, 5, 'scale', 1],
    ],
    'strong style transfer': [
      [0, 3, 'scale', 1],
      [6, 15, 'scale', 1],
    ],
    'style and composition': [
      [0, 3, 'scale', 1],
      [4, 4, 'compositionScale', 0.25],
      [5, 5, 'compositionScale', 1],
      [9, 15, 'scale', 1],
    ],
    'strong style and composition': [
      [0, 3, 'scale', 1],
      [4, 5, 'compositionScale', 1],
      [6, 15, 'scale', 1],
    ],
    'style transfer precise': [
      [0, 3, 'scale', 1],
      [4, 4, 'boost', 0.25, 'swapped'],
      [5, 5, 'boost', 1, 'swapped'],
      [9, 15, 'scale', 1],
    ],
    'composition precise': [
      [0, 3, 'boost', 1, 'swapped'],
      [4, 4, 'scale', 0.25],
      [5, 5, 'scale', 1],
      [6, 8, 'boost', 0.1, 'swapped'],
      [9, 15, 'boost', 1, 'swapped'],
    ],
  },
  11: {
    'style transfer': [[6, 6, 'scale', 1]],
    composition: [[3, 3, 'scale', 1]],
    'strong style transfer': [
      [0, 2, 'scale', 1],
      [4, 10, 'scale', 1],
    ],
    'style and composition': [
      [3, 3, 'compositionScale', 1],
      [6, 6, 'scale', 1],
    ],
    'strong style and composition': [
      [0, 2, 'scale', 1],
      [3, 3, 'compositionScale', 1],
      [4, 10, 'scale', 1],
    ],
    'style transfer precise': [
      [3, 3, 'boost', 1, 'swapped'],
      [6, 6, 'scale', 1],
    ],
    'composition precise': [
      [0, 2, 'boost', 0.1, 'swapped'],
      [3, 3, 'scale', 1],
      [4, 5, 'boost', 0.1, 'swapped'],
      [6, 6, 'boost', 1, 'swapped'],
      [7, 10, 'boost', 0.1, 'swapped'],
    ],
  },
};

/** Transformers that a composition image takes over. */
const COMPOSITION: Readonly<Record<number, readonly number[]>> = { 16: [4, 5], 11: [3] };

type Part = 'down' | 'mid' | 'up';

/** Factor of one transformer: its number `t` of `count`, and the part of the network that it is in. */
const SPREAD: Partial<Record<WeightType, (t: number, count: number, part: Part) => number>> = {
  linear: () => 1,
  'ease in': (t, count) => 0.05 + 0.95 * (1 - t / count),
  'ease out': (t, count) => 0.05 + 0.95 * (t / count),
  'ease in-out': (t, count) => 0.05 + 0.95 * (1 - Math.abs(t - count / 2) / (count / 2)),
  'reverse in-out': (t, count) => 0.05 + 0.95 * (Math.abs(t - count / 2) / (count / 2)),
  'weak input': (_t, _count, part) => (part === 'down' ? 0.2 : 1),
  'weak middle': (_t, _count, part) => (part === 'mid' ? 0.2 : 1),
  'weak output': (_t, _count, part) => (part === 'up' ? 0.2 : 1),
  'strong middle': (_t, _count, part) => (part === 'mid' ? 1 : 0.2),
};

/** A model's transformers by the part that they are in, in execution order. */
export const partsOf = (sites: Sites): readonly Part[] => {
  const parts: Part[] = [];
  for (const { index, path } of sites) parts[index] = path.slice(0, path.indexOf('_')) as Part;
  return parts;
};

const unknownBase = (option: string, value: string, count: number): OptionError =>
  new OptionError(
    'OPTION_CONFLICT',
    `${option} ${value} is made for the 16 transformers of SD1.5 and the 11 of SDXL; this model has ${count}`,
    'Leave it out, or give scale by block',
    { details: { option, found: count } },
  );

/** What every transformer gets, in execution order. */
export const layersOf = (type: WeightType, parts: readonly Part[], weights: Weights, option: string): Layer[] => {
  const spread = SPREAD[type];
  if (spread)
    return parts.map((part, t) => ({ weight: weights.scale * spread(t, parts.length, part), swapped: false }));
  const runs = NAMED[parts.length]?.[type];
  if (!runs) throw unknownBase(option, `"${type}"`, parts.length);
  return parts.map((_, t) => {
    const run = runs.find(([first, last]) => t >= first && t <= last);
    if (!run) return { weight: 0, swapped: false };
    const [, , of, factor, swapped] = run;
    return { weight: weights[of] * factor, swapped: swapped === 'swapped' };
  });
};

/** Which transformers read the composition image. */
export const compositionLayers = (parts: readonly Part[], option: string): readonly number[] => {
  const layers = COMPOSITION[parts.length];
  if (!layers) throw unknownBase(option, '', parts.length);
  return layers;
};

/** Whether a weight acts in a type, on any base. */
export const spreads = (type: WeightType, weight: keyof Weights): boolean =>
  Object.values(NAMED).some((types) => types[type]?.some(([, , of]) => of === weight));
