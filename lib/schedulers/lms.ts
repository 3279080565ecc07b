import type { Settings } from './config.js';
import { sigmaSpaceCall, sigmaSpaceSchedule } from './euler.js';
import { lagrange } from './lagrange.js';
import { type Schedule, update } from './row.js';

const ORDER = 4;

/** ∫ f from a to b by Gauss' rule of two points, exact to the third degree: all that four points need. */
const integral = (f: (t: number) => number, a: number, b: number): number => {
  const [middle, half] = [(a + b) / 2, (b - a) / 2];
  const reach = half / Math.sqrt(3);
  return half * (f(middle - reach) + f(middle + reach));
};

/**
 * Linear multistep: dx/dσ = d = (x − D)/σ, and x' = x + Σ dₖ·∫ from σ to σ' of the Lagrange polynomial that is 1 at the σ of
 * output k and 0 at the others, over the last four. source: k-diffusion sample_lms; Adams–Bashforth with uneven steps
 */
export const lms = (settings: Settings): Schedule =>
  sigmaSpaceSchedule(settings, ({ timesteps, sigmas }) =>
    timesteps.map((timestep, step) => {
      const [sigma, next] = [sigmas[step]!, sigmas[step + 1]!];
      const call = sigmaSpaceCall(settings, timestep, sigma);
      const points = sigmas.slice(Math.max(step + 1 - ORDER, 0), step + 1).reverse(); // newest first
      const outputs = points.map((_, k) => integral((t) => lagrange(points, k, t), sigma, next));
      return {
        ...call,
        keepX: (1 - call.keepX) / sigma, // what is kept is d
        keepOut: -call.keepOut / sigma,
        step,
        updates: [update({ x: 1, outputs })],
      };
    }),
  );
