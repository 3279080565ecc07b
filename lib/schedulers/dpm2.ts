import { ancestralStep } from './ancestral.js';
import type { Settings } from './config.js';
import { sigmaSpaceCall, sigmaSpaceSchedule } from './euler.js';
import { type Schedule, type StepRow, update } from './row.js';

/** A step from σ to `to` by the slope at √(σ·to), then noise up; a step to 0 is Euler's. */
const midpointSchedule = (
  settings: Settings,
  stepOf: (sigma: number, next: number) => { readonly to: number; readonly up: number; readonly draws: boolean },
): Schedule =>
  sigmaSpaceSchedule(settings, ({ timesteps, sigmas, timestepAt }) =>
    timesteps.flatMap((timestep, step): StepRow[] => {
      const sigma = sigmas[step]!;
      const { to, up, draws } = stepOf(sigma, sigmas[step + 1]!);
      const call = { ...sigmaSpaceCall(settings, timestep, sigma), step };
      if (to === 0) return [{ ...call, updates: [update({ outputs: [1], noise: up, draws })] }];
      const middle = Math.sqrt(sigma * to);
      const keep = middle / sigma;
      const along = (to - sigma) / middle;
      return [
        { ...call, updates: [update({ x: keep, outputs: [1 - keep], saveX: true })] },
        {
          ...sigmaSpaceCall(settings, timestepAt(middle), middle),
          step,
          updates: [update({ x: along, saved: 1, outputs: [-along], noise: up, draws })],
        },
      ];
    }),
  );

/**
 * DPM-Solver-2, arXiv 2206.00927 alg. 1 with r = ½, in the form of Karras et al.: an Euler step to σₘ = √(σσ'), the geometric
 * middle, then the whole step from the kept x by the slope there, x' = x + (x̃ − D̃)/σₘ·(σ' − σ).
 * source: k-diffusion sample_dpm_2 without churn
 */
export const dpm2 = (settings: Settings): Schedule =>
  midpointSchedule(settings, (_, next) => ({ to: next, up: 0, draws: false }));

/** The same down to σ_down, then noise back up to σ'; none after the last. source: k-diffusion sample_dpm_2_ancestral */
export const dpm2Ancestral = (settings: Settings): Schedule => {
  const eta = settings.eta ?? 1;
  return midpointSchedule(settings, (sigma, next) => {
    const { up, down } = ancestralStep(sigma, next, eta);
    return { to: down, up, draws: eta > 0 && next > 0 };
  });
};
