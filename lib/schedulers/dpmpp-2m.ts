import { ModelFileError } from '../errors.js';
import type { Settings } from './config.js';
import { type Schedule, update } from './row.js';
import { type SolverStep, solverSchedule } from './solver.js';

const orderOf = (settings: Settings, { done, left }: SolverStep): number => {
  const fewSteps = settings.lowerOrderFinal && settings.steps < 15;
  if (left === 1 && (settings.eulerAtFinal || fewSteps || settings.finalSigma === 'zero')) return 1;
  const final = left === 2 && fewSteps ? 2 : settings.solverOrder;
  return Math.min(settings.solverOrder, final, done + 1);
};

/** Slopes of the history in units of the step h: D₁ and, with three points, D₂, as weights of the kept outputs. */
const slopes = (step: SolverStep, order: number, h: number): { first: number[]; second: number[] } => {
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
 * SDE-DPM-Solver++ multistep, arXiv 2211.01095 app. E, G = 1 − e^{−2h}:
 * x' = (s'/s)·e^{−h}·x + α'G·m + ½α'G·D₁ (midpoint) or + α'(1 − G/2h)·D₁ (heun) + s'√G·ε. Noise is drawn at every step.
 */
export const dpmpp2mSde = (settings: Settings): Schedule => {
  if (settings.solverOrder > 2) {
    throw new ModelFileError(
      'MODEL_FORMAT_UNSUPPORTED',
      `solver_order is ${settings.solverOrder}, sampler "dpmpp_2m_sde" has orders 1 and 2`,
      'Use sampler "dpmpp_2m", or set solver_order 2 in scheduler_config.json',
      { details: { field: 'solver_order' } },
    );
  }
  return solverSchedule(settings, (step) => {
    const [here, next] = [step.point(0), step.point(-1)];
    const h = next.lambda - here.lambda;
    const gain = -Math.expm1(-2 * h);
    const outputs = [next.alpha * gain];
    if (orderOf(settings, step) > 1) {
      const { first } = slopes(step, 2, h);
      const ofFirst = next.alpha * (settings.solverType === 'heun' ? 1 - gain / (2 * h) : gain / 2);
      outputs[0]! += ofFirst * first[0]!;
      outputs[1] = ofFirst * first[1]!;
    }
    return [update({ x: (next.s / here.s) * Math.exp(-h), outputs, noise: next.s * Math.sqrt(gain), draws: true })];
  });
};
