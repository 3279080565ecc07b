import { ancestralStep } from './ancestral.js';
import type { Settings } from './config.js';
import { sigmaSpaceCall, sigmaSpaceSchedule } from './euler.js';
import { type Schedule, type StepRow, update } from './row.js';

/**
 * DPM-Solver++ SDE of two calls a step. source: k-diffusion sample_dpmpp_sde with r = ½, where the first D has no weight in
 * the second half. With σₛ = √(σσ'), the middle in λ, and (down, up) of an ancestral step to σₛ, then to σ':
 * x̃ = (downₛ/σ)·x + (1 − downₛ/σ)·D + upₛ·ε₁ and x' = (down/σ)·x + (1 − down/σ)·D̃ + up·ε₂. The last step is Euler's.
 *
 * trap: ε₁ and ε₂ are successive draws of the run's generator. k-diffusion takes them from a Brownian tree, where they are
 * parts of one path: the same distribution per step, other pictures.
 */
export const dpmppSde = (settings: Settings): Schedule => {
  const eta = settings.eta ?? 1;
  return sigmaSpaceSchedule(settings, ({ timesteps, sigmas, timestepAt }) =>
    timesteps.flatMap((timestep, step): StepRow[] => {
      const [sigma, next] = [sigmas[step]!, sigmas[step + 1]!];
      const call = { ...sigmaSpaceCall(settings, timestep, sigma), step };
      if (next === 0) return [{ ...call, updates: [update({ outputs: [1] })] }];
      const middle = Math.sqrt(sigma * next);
      const half = ancestralStep(sigma, middle, eta);
      const whole = ancestralStep(sigma, next, eta);
      const [keepHalf, keepWhole] = [half.down / sigma, whole.down / sigma];
      const draws = eta > 0;
      return [
        { ...call, updates: [update({ x: keepHalf, outputs: [1 - keepHalf], noise: half.up, draws, saveX: true })] },
        {
          ...sigmaSpaceCall(settings, timestepAt(middle), middle),
          step,
          updates: [update({ saved: keepWhole, outputs: [1 - keepWhole], noise: whole.up, draws })],
        },
      ];
    }),
  );
};
