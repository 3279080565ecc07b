import { sigmaOf } from './noise-schedule.js';
import type { Schedule, StepRow } from './row.js';

/** A run whose rows lie on whole training timesteps, x = √ᾱ·x₀ + √(1−ᾱ)·ε; `end` is ᾱ after the last. */
export const onWholeTimesteps = (
  rows: readonly StepRow[],
  timesteps: readonly number[],
  alphas: readonly number[],
  end: number,
): Schedule => ({
  rows,
  timesteps,
  sigmas: [...timesteps.map((t) => sigmaOf(alphas[t]!)), sigmaOf(end)],
  steps: rows.at(-1)!.step + 1,
  initNoiseSigma: 1,
  addNoise: (index) => {
    const alpha = alphas[timesteps[index]!]!;
    return { signal: Math.sqrt(alpha), noise: Math.sqrt(1 - alpha) };
  },
});
