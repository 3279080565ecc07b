// What the addon is given of texts, as types.ts.
import type { Tensor } from './values.js';

/** A piece that weighs less than 1, by its runs of tokens, one per chunk. */
export interface FadedPiece {
  readonly weight: number;
  readonly runs: readonly { readonly chunk: number; readonly first: number; readonly count: number }[];
}

/** Texts that change with the steps, or that are summed. */
export interface SampleTexts {
  readonly conditions: readonly {
    readonly context: Tensor;
    /** SDXL */
    readonly pooled?: Tensor;
    readonly timeIds?: readonly number[];
  }[];
  /** Of those that are summed: guidance steers to u + sum of weight (c - u). */
  readonly weights: readonly number[];
  /** Which conditions an outer step reads: with guidance first the negative one, then one per weight. */
  readonly steps: readonly (readonly number[])[];
}
