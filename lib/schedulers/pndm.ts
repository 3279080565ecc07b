import { OptionError } from '../errors.js';
import type { Settings } from './config.js';
import { alphasCumprod } from './noise-schedule.js';
import { type Schedule, type StepRow, update } from './row.js';
import { skippedSteps, wholeTimesteps } from './spacing.js';
import { onWholeTimesteps } from './whole-steps.js';

/** Weights of the newest outputs by length of history: Adams–Bashforth of order 1 to 4. */
const WEIGHTS: readonly (readonly number[])[] = [
  [1],
  [3 / 2, -1 / 2],
  [23 / 12, -16 / 12, 5 / 12],
  [55 / 24, -59 / 24, 37 / 24, -9 / 24],
];

/**
 * PNDM without Runge–Kutta warm-up, arXiv 2202.09778 eq. 9 and 11: combined output ē of the last four, then
 * x' = √(ᾱ'/ᾱ)·x − (ᾱ'−ᾱ)·e / (ᾱ√(1−ᾱ') + √(ᾱ(1−ᾱ)ᾱ')).
 *
 * The first step is done twice: the second call looks at its result, and the step is taken again from the kept x with the
 * mean of both outputs. That output is left out of the history: the third row replaces it.
 */
export const pndm = (settings: Settings): Schedule => {
  const alphas = alphasCumprod(settings, 0);
  const stride = Math.floor(settings.trainSteps / settings.steps);
  const final = settings.setAlphaToOne ? 1 : alphas[0]!;
  const full = wholeTimesteps(settings);
  const calls = full.length > 1 ? [full[0]!, full[1]!, ...full.slice(1)] : full;
  const timesteps = calls.slice(skippedSteps(settings));

  /** The update from level t with `weights` of the kept outputs, as coefficients of x and of each output. */
  const transfer = (t: number, weights: readonly number[]): { x: number; outputs: number[] } => {
    const now = alphas[t]!;
    if (now === 0) {
      throw new OptionError(
        'OPTION_CONFLICT',
        'sampler "pndm" cannot start from zero signal (zeroSnr)',
        'Use sampler "ddim" with prediction "v", or spacing "leading"',
        { details: { option: 'zeroSnr' } },
      );
    }
    const next = t >= stride ? alphas[t - stride]! : final;
    const factor = -(next - now) / (now * Math.sqrt(1 - next) + Math.sqrt(now * (1 - now) * next));
    // v is turned into e = √ᾱ·v + √(1−ᾱ)·x after combining
    const [ofOutput, ofX] = settings.prediction === 'v' ? [Math.sqrt(now), Math.sqrt(1 - now)] : [1, 0];
    return { x: Math.sqrt(next / now) + factor * ofX, outputs: weights.map((w) => factor * ofOutput * w) };
  };

  /** What of a call is kept for combining: the output itself, or e = (x − √ᾱ·x₀)/√(1−ᾱ) of a predicted x₀. */
  const kept = (t: number): { keepX: number; keepOut: number } => {
    if (settings.prediction !== 'sample') return { keepX: 0, keepOut: 1 };
    const alpha = alphas[t]!;
    return { keepX: 1 / Math.sqrt(1 - alpha), keepOut: -Math.sqrt(alpha / (1 - alpha)) };
  };

  const rows = timesteps.map((timestep, call): StepRow => {
    const shared = { timestep, inputScale: 1, ...kept(timestep) };
    if (call === 1) {
      const again = transfer(timestep + stride, [1 / 2, 1 / 2]);
      return { ...shared, step: 0, store: 'push', updates: [update({ saved: again.x, outputs: again.outputs })] };
    }
    const history = call === 0 ? 1 : Math.min(call, 4);
    const updates = [update({ ...transfer(timestep, WEIGHTS[history - 1]!), saveX: call === 0 })];
    return { ...shared, step: Math.max(call - 1, 0), store: call === 2 ? 'replace' : 'push', updates };
  });
  const last = timesteps.at(-1)!;
  return onWholeTimesteps(rows, timesteps, alphas, last >= stride ? alphas[last - stride]! : final);
};
