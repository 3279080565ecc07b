import { ModelFileError } from '../errors.js';
import type { Settings } from './config.js';
import { type Schedule, update } from './row.js';
import { orderOf, type SolverStep, solverSchedule } from './solver.js';

/** Slopes of the history in units of the step h: D₁ and, with three points, D₂, as weights of the kept outputs. */
export const slopes = (step: SolverStep, order: number, h: number): { first: number[]; second: number[] } => {
  const between = (newer: number): number => (step.point(newer).lambda - step.point(newer + 1).lambda) / h;
  const r0 = between(0);
  const newest = [1 / r0, -1 / r0, 0];
  if (order === 2) return { first: newest, second: [] };
  const r1 = between(1);
  const change = newest.map((w, k) => (w - [0, 1 / r1, -1 / r1][k]!) / (r0 + r1));
  return { first: newest.map((w, k) => w + r0 * change[k]!), second: change };
};

/**
 * DPM-Solver++ multistep, arXiv 2211.01095 alg. 2, on m (denoised), g = e^{−h} − 1:
 * x' = (s'/s)·x − α'g·m − ½α'g·D₁ (midpoint) or + α'(g/h + 1)·D₁ (heun), and for three points − α'((g + h)/h² − ½)·D₂.
 */
export const dpmpp2m = (settings: Settings): Schedule =>
  solverSchedule(settings, (step) => {
    const [here, next] = [step.point(0), step.point(-1)];
    const h = next.lambda - here.lambda;
    const g = Math.expm1(-h);
    const order = orderOf(settings, step);
    const outputs = [-next.alpha * g, 0, 0].slice(0, order);
    if (order > 1) {
      const { first, second } = slopes(step, order, h);
      // three points use the exact weight of D₁ whatever the type says
      const exact = order === 3 || settings.solverType === 'heun';
      const ofFirst = exact ? next.alpha * (g / h + 1) : -0.5 * next.alpha * g;
      const ofSecond = -next.alpha * ((g + h) / (h * h) - 0.5);
      for (let k = 0; k < order; ++k) outputs[k]! += ofFirst * first[k]! + ofSecond * (second[k] ?? 0);
    }
    return [update({ x: next.s / here.s, outputs })];
  });

/**
 * SDE-DPM-Solver++ multistep, arXiv 2211.01095 app. E, with H = (1+η)h and G = 1 − e^{−H}:
 * x' = (s'/s)·e^{−ηh}·x + α'G·m + ½α'G·D₁ (midpoint) or + α'(1 − G/H)·D₁ (heun) + s'√(1 − e^{−2ηh})·ε. Noise is drawn at every
 * step. source of η, 1 in the paper: k-diffusion sample_dpmpp_2m_sde
 *
 * trap: ε are successive draws of the run's generator, as diffusers draws them; k-diffusion takes them from a Brownian tree.
 */
export const dpmpp2mSde = (settings: Settings): Schedule => {
  if (settings.solverOrder > 2) {
    throw new ModelFileError(
      'MODEL_FORMAT_UNSUPPORTED',
      `solver_order is ${settings.solverOrder}, sampler "dpmpp_2m_sde" has orders 1 and 2`,
      'Use sampler "dpmpp_2m" or "dpmpp_3m_sde", or set solver_order 2 in scheduler_config.json',
      { details: { field: 'solver_order' } },
    );
  }
  const eta = settings.eta ?? 1;
  return solverSchedule(settings, (step) => {
    const [here, next] = [step.point(0), step.point(-1)];
    const h = next.lambda - here.lambda;
    const gain = -Math.expm1(-(1 + eta) * h);
    const outputs = [next.alpha * gain];
    if (orderOf(settings, step) > 1) {
      const { first } = slopes(step, 2, h);
      const ofFirst = next.alpha * (settings.solverType === 'heun' ? 1 - gain / ((1 + eta) * h) : gain / 2);
      outputs[0]! += ofFirst * first[0]!;
      outputs[1] = ofFirst * first[1]!;
    }
    // trap: with η 0 and a last σ of 0, e^{−ηh} would be 0 · ∞
    const decay = eta === 0 ? 1 : Math.exp(-eta * h);
    const noise = eta === 0 ? 0 : next.s * Math.sqrt(-Math.expm1(-2 * eta * h));
    return [update({ x: (next.s / here.s) * decay, outputs, noise, draws: eta > 0 })];
  });
};
