import type { Settings } from './config.js';
import { sigmaSpaceCall, sigmaSpaceSchedule } from './euler.js';
import { type Schedule, update } from './row.js';

/**
 * Euler ancestral: a step down to σ_down, then noise back up to σ'. source: k-diffusion sample_euler_ancestral, η = 1
 * σ_up² = σ'²(σ² − σ'²)/σ², σ_down² = σ'² − σ_up². Noise is drawn at every step, the last (σ_up = 0) included.
 */
export const eulerAncestral = (settings: Settings): Schedule =>
  sigmaSpaceSchedule(settings, ({ timesteps, sigmas }) =>
    timesteps.map((timestep, step) => {
      const [sigma, next] = [sigmas[step]!, sigmas[step + 1]!];
      const up = Math.sqrt(Math.max((next * next * (sigma * sigma - next * next)) / (sigma * sigma), 0));
      const down = Math.sqrt(Math.max(next * next - up * up, 0));
      const keep = down / sigma;
      return {
        ...sigmaSpaceCall(settings, timestep, sigma),
        step,
        updates: [update({ x: keep, outputs: [1 - keep], noise: up, draws: true })],
      };
    }),
  );
