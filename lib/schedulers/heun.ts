import type { Settings } from './config.js';
import { sigmaSpaceCall, sigmaSpaceSchedule } from './euler.js';
import { type Schedule, type StepRow, update } from './row.js';

/**
 * Heun, Karras et al. 2022 alg. 1: an Euler step to x̃, a second call there, then the step again from the kept x along the
 * mean of both slopes, d₁ = (x − D)/σ and d₂ = (x̃ − D̃)/σ'. The last step, to σ' = 0, is Euler's.
 */
export const heun = (settings: Settings): Schedule =>
  sigmaSpaceSchedule(settings, ({ timesteps, sigmas }) =>
    timesteps.flatMap((timestep, step): StepRow[] => {
      const [sigma, next] = [sigmas[step]!, sigmas[step + 1]!];
      const keep = next / sigma;
      const first = {
        ...sigmaSpaceCall(settings, timestep, sigma),
        step,
        updates: [update({ x: keep, outputs: [1 - keep], saveX: true })],
      };
      if (step === timesteps.length - 1) return [first];
      const [half1, half2] = [(next - sigma) / (2 * sigma), (next - sigma) / (2 * next)];
      const second = {
        ...sigmaSpaceCall(settings, timesteps[step + 1]!, next),
        step,
        updates: [update({ x: half2, saved: 1 + half1, outputs: [-half2, -half1] })],
      };
      return [first, second];
    }),
  );
