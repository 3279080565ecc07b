import type { Settings } from './config.js';
import { LAST_ALPHA } from './euler.js';
import { alphasCumprod } from './noise-schedule.js';
import { denoisedVp } from './prediction.js';
import type { Schedule, StepRow, Update } from './row.js';
import { initialSigma, sigmaTable, skippedSteps } from './spacing.js';

/** One point of a solver's schedule; latents are α·x₀ + s·ε, λ = ln(α/s) = −ln σ. */
export interface Point {
  readonly sigma: number;
  readonly alpha: number;
  readonly s: number;
  readonly lambda: number;
}

const pointAt = (sigma: number): Point => {
  const alpha = 1 / Math.sqrt(sigma * sigma + 1);
  return { sigma, alpha, s: sigma * alpha, lambda: -Math.log(sigma) };
};

export interface SolverStep {
  /** Steps already run: the length of the history. */
  readonly done: number;
  /** Steps still to run, this one included. */
  readonly left: number;
  /** The point `back` steps ago; 0 is this row's, −1 the one it leads to. */
  readonly point: (back: number) => Point;
}

/** Points used by a multistep solver: fewer at the start, and at the end of few steps or of a step to σ 0. */
export const orderOf = (settings: Settings, { done, left }: SolverStep): number => {
  const fewSteps = settings.lowerOrderFinal && settings.steps < 15;
  if (left === 1 && (settings.eulerAtFinal || fewSteps || settings.finalSigma === 'zero')) return 1;
  const final = left === 2 && fewSteps ? 2 : settings.solverOrder;
  return Math.min(settings.solverOrder, final, done + 1);
};

/** What DPM-Solver++, DEIS and UniPC have in common: rows that keep the denoised latents, one per step. */
export const solverSchedule = (settings: Settings, updatesOf: (step: SolverStep) => readonly Update[]): Schedule => {
  const full = sigmaTable(settings, alphasCumprod(settings, LAST_ALPHA), 'solver');
  const skip = skippedSteps(settings);
  const timesteps = full.timesteps.slice(skip);
  const first = pointAt(full.sigmas[0]!); // of the whole schedule, whatever strength leaves out
  const points = full.sigmas.slice(skip).map(pointAt);
  const rows = timesteps.map((timestep, step): StepRow => {
    const here = points[step]!;
    const denoised = denoisedVp(settings.prediction, here.alpha, here.s);
    return {
      step,
      timestep,
      inputScale: 1,
      keepX: denoised.x,
      keepOut: denoised.out,
      store: 'push',
      updates: updatesOf({ done: step, left: timesteps.length - step, point: (back) => points[step - back]! }),
    };
  });
  return {
    rows,
    timesteps,
    sigmas: points.map((p) => p.sigma),
    steps: rows.length,
    initNoiseSigma: initialSigma(settings, full, 1 / first.alpha) * first.alpha,
    addNoise: (index) => ({ signal: points[index]!.alpha, noise: points[index]!.s }),
  };
};
