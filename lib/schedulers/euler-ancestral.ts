import { ancestralStep } from './ancestral.js';
import type { Settings } from './config.js';
import { sigmaSpaceCall, sigmaSpaceSchedule } from './euler.js';
import { type Schedule, update } from './row.js';

/**
 * Euler ancestral: a step down to σ_down, then noise back up to σ'. source: k-diffusion sample_euler_ancestral
 * Noise is drawn at every step, the last (σ_up = 0) included.
 */
export const eulerAncestral = (settings: Settings): Schedule => {
  const eta = settings.eta ?? 1;
  return sigmaSpaceSchedule(settings, ({ timesteps, sigmas }) =>
    timesteps.map((timestep, step) => {
      const sigma = sigmas[step]!;
      const { up, down } = ancestralStep(sigma, sigmas[step + 1]!, eta);
      const keep = down / sigma;
      return {
        ...sigmaSpaceCall(settings, timestep, sigma),
        step,
        updates: [update({ x: keep, outputs: [1 - keep], noise: up, draws: eta > 0 })],
      };
    }),
  );
};
