import { expectedFor } from '../options/check.js';
import { readOptions } from '../options/read.js';
import { defaultOf } from '../options/row.js';
import { GENERATE } from '../options/table/generate.js';
import { HIRES, type PASSES, type UPSCALERS } from '../options/table/hires.js';

/** Which passes of a run something acts in. */
export type Passes = (typeof PASSES)[number];

/**
 * A second pass: the picture is made larger and drawn on, for detail that a model does not draw at once at that size.
 *
 * @example
 * await pipe.generate({ prompt, hires: { scale: 1.5, strength: 0.5 } })
 */
export interface HiresOptions {
  /** How many times wider and higher, 1…4, rounded to multiples of 8 px, at most 4,096 of them. Default 2. */
  readonly scale?: number;
  /** Steps of the second pass, of which `strength` leaves a part, 0…1,000; 0: as many as the first. Default 0. */
  readonly steps?: number;
  /** How much of the second pass is done, 0…1: 0 makes the picture larger alone. Default 0.7. */
  readonly strength?: number;
  /** `latent`: between neighbouring latents; `lanczos`: the decoded picture, encoded again. Default `latent`. */
  readonly upscaler?: (typeof UPSCALERS)[number];
}

/** The same with every default filled in, and the size that is drawn, in px. */
export interface HiresSettings extends Required<HiresOptions> {
  readonly width: number;
  readonly height: number;
}

const [multiple] = GENERATE.rows.width.multiples;
const [, most] = GENERATE.rows.width.range;

/** Checks the option `hires` of a run whose first pass has this size. */
export const hiresOf = (
  value: unknown,
  base: { readonly width: number; readonly height: number },
): HiresSettings | undefined => {
  if (value === undefined) return undefined;
  const given = readOptions(HIRES, value, {}, ['hires']);
  const scale = given.scale ?? defaultOf(HIRES, 'scale');
  const [width, height] = [base.width, base.height].map((side) => Math.round((side * scale) / multiple) * multiple);
  if (Math.max(width!, height!) > most) {
    const largest = Math.floor((most / Math.max(base.width, base.height)) * 100) / 100;
    const expected = `a factor to at most ${most} px: ${base.width} × ${base.height} times ${scale} is ${width} × ${height}`;
    const hint = `Give hires.scale ${largest} or less, or a smaller width and height`;
    throw expectedFor('OPTION_RANGE', 'hires.scale', expected, scale, hint);
  }
  return {
    scale,
    steps: given.steps ?? defaultOf(HIRES, 'steps'),
    strength: given.strength ?? defaultOf(HIRES, 'strength'),
    upscaler: given.upscaler ?? defaultOf(HIRES, 'upscaler'),
    width: width!,
    height: height!,
  };
};
