import type { Tensor } from '../native/types.js';

/** What an image encoder and a face recogniser make of pictures, before any projector: one entry per picture or face. */
export interface Readings {
  readonly features: readonly Tensor[] | undefined;
  /** The recogniser's raw numbers. */
  readonly identities: readonly Float32Array[] | undefined;
  /** How well each face can be recognised, 0…1; undefined where that was not measured. */
  readonly qualities: readonly number[] | undefined;
  /** Which picture each entry came from. */
  readonly from: readonly number[];
  /** SHA-256 of each picture in normal form. */
  readonly hashes: readonly string[];
  /** The same of what said what counts of them. */
  readonly clipMask?: string | undefined;
}

/** Readings, and what they are of. */
export interface Contents {
  readonly readings: Readings;
  readonly encoder: string | undefined;
  readonly output: 'image_embeds' | 'penultimate' | undefined;
  readonly name: string | undefined;
}
