import { type CapturedImage, captureImage } from '../images/source.js';
import { readOptions } from '../options/read.js';
import { defaultOf } from '../options/row.js';
import { NEGATIVE_NOISE, type NOISES } from '../options/table/negative.js';

/**
 * Noise made of the reference's picture, to steer away from. Its random numbers follow from the picture: the same picture gives
 * the same noise, whatever the seed of the run.
 *
 * @example
 * const reference: Reference = { image: 'her.png', negative: { noise: 'shuffle', strength: 0.7 } }
 */
export interface NegativeNoise {
  /**
   * `fade`: the picture fades into noise; `dissolve`: its numbers are replaced by noise here and there; `gaussian`: noise is added;
   * `shuffle`: the picture is shaken and turned about, with noise.
   */
  readonly noise: (typeof NOISES)[number];
  /** How much of it is noise, 0…1. Default 1. */
  readonly strength?: number;
  /** Kernel of a Gaussian blur of what comes out in px, 0…32, 0 for none. Default 0. */
  readonly blur?: number;
}

/** What a reference steers away from: a picture, or noise with its defaults filled in. */
export type Negative = CapturedImage | ({ readonly kind: 'noise' } & Required<NegativeNoise>);

/** Takes hold of a picture, or checks what noise is made. */
export const negativeOf = (value: unknown, place: readonly PropertyKey[], option: string): Negative => {
  // a sharp instance may have a method of any name: noise is told by an own name of a plain object
  const isNoise = typeof value === 'object' && value !== null && Object.hasOwn(value, 'noise');
  if (!isNoise) return captureImage(value, option);
  const { noise, strength, blur } = readOptions(NEGATIVE_NOISE, value, {}, place);
  return {
    kind: 'noise',
    noise,
    strength: strength ?? defaultOf(NEGATIVE_NOISE, 'strength'),
    blur: blur ?? defaultOf(NEGATIVE_NOISE, 'blur'),
  };
};
