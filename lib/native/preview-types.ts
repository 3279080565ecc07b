import type { Pixels } from './values.js';

/** What is decoded while the step loop goes on. */
export interface PreviewSpec<Network> {
  readonly vae: Network;
  readonly scalingFactor: number;
  /** Which network calls, in their order: x · latents before + out · network output is what is shown. */
  readonly rows: readonly { readonly row: number; readonly x: number; readonly out: number }[];
}

/** A network call that is done; then, of one that is shown, its picture, or once why there are none. */
export interface StepEvent {
  readonly row: number;
  readonly step: number;
  readonly preview?: Pixels;
  readonly failed?: string;
}

/** Whether a VAE runs in tiles: `auto` in bands where it does not fit whole; `never`: neither. */
export type VaeTiling = 'auto' | 'always' | 'never';
