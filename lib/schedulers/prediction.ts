import { OptionError } from '../errors.js';
import type { Prediction } from './config.js';
import type { NoiseMix } from './row.js';

/** denoised = x · latents + out · network output */
export interface Denoised {
  readonly x: number;
  readonly out: number;
}

/** Latents in the form α · x₀ + s · ε with α² + s² = 1. */
export const denoisedVp = (prediction: Prediction, alpha: number, s: number): Denoised => {
  switch (prediction) {
    case 'epsilon':
      if (alpha === 0) {
        throw new OptionError(
          'OPTION_CONFLICT',
          'prediction "epsilon" cannot start from zero signal (zeroSnr)',
          'Use prediction "v", leave zeroSnr out, or set spacing "leading"',
          { details: { option: 'zeroSnr' } },
        );
      }
      return { x: 1 / alpha, out: -s / alpha };
    case 'v':
      return { x: alpha, out: -s };
    case 'sample':
      return { x: 0, out: 1 };
  }
};

/** Latents in the form signal · x₀ + noise · ε, whatever they are scaled by. */
export const denoisedAt = (prediction: Prediction, { signal, noise }: NoiseMix): Denoised => {
  const norm = Math.hypot(signal, noise);
  const { x, out } = denoisedVp(prediction, signal / norm, noise / norm);
  return { x: x / norm, out };
};

/** Latents in the form x₀ + σ · ε, scaled by 1/√(σ²+1) for the network. */
export const denoisedSigma = (prediction: Prediction, sigma: number): Denoised => {
  const variance = sigma * sigma + 1;
  switch (prediction) {
    case 'epsilon':
      return { x: 1, out: -sigma };
    case 'v':
      return { x: 1 / variance, out: -sigma / Math.sqrt(variance) };
    case 'sample':
      return { x: 0, out: 1 };
  }
};
