import type { EMBEDS_SCALINGS } from '../options/table/reference.js';

/** What a scale multiplies, by the names of ComfyUI's nodes. */
export type EmbedsScaling = (typeof EMBEDS_SCALINGS)[number];

/** What K, V and the mean of V over tokens gain at one cross-attention: K and V times 1 + gain, then V + gain · mean. */
export type Gains = readonly [key: number, value: number, mean: number];

const WIDEST = 1280; // channels: the C penalty is 1 there

/**
 * Gains that stand for a scale at a cross-attention of `width` channels; undefined where the scale multiplies the result.
 * source: ComfyUI's IPAdapter nodes
 */
export const gainsOf = (scaling: EmbedsScaling, scale: number, width: number): Gains | undefined => {
  const penalised = (scale * width) / WIDEST - 1;
  switch (scaling) {
    case 'V only':
      return undefined;
    case 'K+V':
      return [scale - 1, scale - 1, 0];
    case 'K+V w/ C penalty':
      return [penalised, penalised, 0];
    case 'K+mean(V) w/ C penalty':
      return [penalised, 0, penalised];
  }
};
