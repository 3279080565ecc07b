import type { Settings } from './config.js';

/** β of every training timestep. */
const betasOf = ({ betas, trainSteps, trainedBetas }: Settings): readonly number[] => {
  if (trainedBetas) return trainedBetas;
  const along = (i: number): number => i / (trainSteps - 1);
  const timesteps = Array.from({ length: trainSteps }, (_, i) => i);
  switch (betas.kind) {
    case 'linear':
      return timesteps.map((i) => betas.start + along(i) * (betas.end - betas.start));
    case 'scaled_linear': {
      const from = Math.sqrt(betas.start);
      const to = Math.sqrt(betas.end);
      return timesteps.map((i) => (from + along(i) * (to - from)) ** 2);
    }
    case 'squaredcos_cap_v2': {
      // source: arXiv 2102.09672 eq. 17
      const bar = (u: number): number => Math.cos((((u + 0.008) / 1.008) * Math.PI) / 2) ** 2;
      return timesteps.map((i) => Math.min(1 - bar((i + 1) / trainSteps) / bar(i / trainSteps), 0.999));
    }
  }
};

/** ᾱ shifted and scaled so that the last one is 0 and the first one stays. source: arXiv 2305.08891 alg. 1 */
const rescaledToZeroSnr = (alphas: readonly number[]): number[] => {
  const first = Math.sqrt(alphas[0]!);
  const last = Math.sqrt(alphas.at(-1)!);
  return alphas.map((a) => (((Math.sqrt(a) - last) * first) / (first - last)) ** 2);
};

/**
 * ᾱ of every training timestep; `lastAlpha` replaces the 0 that zero terminal SNR puts last. β, 1−β and ᾱ are rounded to f32
 * where the reference holds them: ln σ, and with it each step, follows the rounding of 1−β.
 */
export const alphasCumprod = (settings: Settings, lastAlpha: number): readonly number[] => {
  let product = 1;
  const alphas = betasOf(settings).map((beta) => {
    product *= Math.fround(1 - Math.fround(beta));
    return Math.fround(product);
  });
  if (!settings.zeroSnr) return alphas;
  const rescaled = rescaledToZeroSnr(alphas);
  rescaled[rescaled.length - 1] = lastAlpha;
  return rescaled;
};

/** σ of x = α · (x₀ + σ · ε) */
export const sigmaOf = (alphaCumprod: number): number => Math.sqrt((1 - alphaCumprod) / alphaCumprod);

/**
 * σ at a fraction of the training timesteps, counted from pure noise; ln σ is linear between neighbours.
 * source: ComfyUI's percent_to_sigma, whose ends are no σ of a schedule
 */
export const sigmaAlong = (alphas: readonly number[], fraction: number): number => {
  if (fraction <= 0) return 999_999_999.9;
  if (fraction >= 1) return 0;
  const t = (1 - fraction) * (alphas.length - 1);
  const low = Math.floor(t);
  const logSigma = (i: number): number => Math.log(sigmaOf(alphas[i]!));
  return Math.exp(logSigma(low) + (t - low) * (logSigma(Math.min(low + 1, alphas.length - 1)) - logSigma(low)));
};
