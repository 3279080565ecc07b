import { OptionError } from '../errors.js';
import type { Settings } from './config.js';
import { type Schedule, type Update, update } from './row.js';
import { type SolverStep, solverSchedule } from './solver.js';

/** Solves a small system by elimination with pivots. */
const solved = (matrix: readonly (readonly number[])[], right: readonly number[]): number[] => {
  const rows = matrix.map((row, i) => [...row, right[i]!]);
  const n = rows.length;
  for (let c = 0; c < n; ++c) {
    let pivot = c;
    for (let i = c + 1; i < n; ++i) if (Math.abs(rows[i]![c]!) > Math.abs(rows[pivot]![c]!)) pivot = i;
    [rows[c], rows[pivot]] = [rows[pivot]!, rows[c]!];
    for (let i = c + 1; i < n; ++i) {
      const factor = rows[i]![c]! / rows[c]![c]!;
      for (let j = c; j <= n; ++j) rows[i]![j]! -= factor * rows[c]![j]!;
    }
  }
  const out = new Array<number>(n).fill(0);
  for (let i = n - 1; i >= 0; --i) {
    const known = out.reduce((sum, value, j) => (j > i ? sum + rows[i]![j]! * value : sum), 0);
    out[i] = (rows[i]![n]! - known) / rows[i]![i]!;
  }
  return out;
};

/** The step from point `back` to the next one with `order` points: factors of the base, and r and b of R·ρ = b. */
const expansion = (step: SolverStep, back: number, order: number, bh1: boolean) => {
  const [from, to] = [step.point(back), step.point(back - 1)];
  const h = to.lambda - from.lambda;
  const phi = Math.expm1(-h);
  const weight = bh1 ? -h : phi; // B(h)
  const r = Array.from({ length: order }, (_, k) =>
    k === order - 1 ? 1 : (step.point(back + k + 1).lambda - from.lambda) / h,
  );
  const b: number[] = [];
  let a = phi / -h - 1;
  let factorial = 1;
  for (let k = 1; k <= order; ++k) {
    b.push((a * factorial) / weight);
    factorial *= k + 1;
    a = a / -h - 1 / factorial;
  }
  return { keep: to.s / from.s, base: -to.alpha * phi, correction: -to.alpha * weight, r, b };
};

const weightsOf = (r: readonly number[], b: readonly number[]): number[] =>
  solved(
    b.map((_, k) => r.map((value) => value ** k)),
    b,
  );

/** x' from the saved x and the kept outputs: kept[0] is the fresh one at the point reached, kept[1] the point left. */
const corrector = (step: SolverStep, order: number, bh1: boolean): Update => {
  const { keep, base, correction, r, b } = expansion(step, 1, order, bh1);
  const rho = order === 1 ? [1 / 2] : weightsOf(r, b);
  const outputs = [correction * rho[order - 1]!, base - correction * rho[order - 1]!];
  for (let k = 0; k < order - 1; ++k) {
    const weight = (correction * rho[k]!) / r[k]!;
    outputs[1]! -= weight;
    outputs.push(weight);
  }
  return update({ saved: keep, outputs });
};

const predictor = (step: SolverStep, order: number, bh1: boolean): Update => {
  const { keep, base, correction, r, b } = expansion(step, 0, order, bh1);
  const outputs = [base];
  if (order > 1) {
    const rho = order === 2 ? [1 / 2] : weightsOf(r.slice(0, -1), b.slice(0, -1));
    for (let k = 0; k < order - 1; ++k) {
      const weight = (correction * rho[k]!) / r[k]!;
      outputs[0]! -= weight;
      outputs.push(weight);
    }
  }
  return update({ x: keep, outputs, saveX: true });
};

/**
 * UniPC, arXiv 2302.04867, on denoised latents: each call first corrects the last step with the fresh output, then predicts
 * the next. trap: the fresh output is the one of the uncorrected x, and the saved x is the corrected one.
 */
export const unipc = (settings: Settings): Schedule => {
  const bh1 = settings.solverType === 'bh1';
  if (settings.finalSigma === 'zero' && (bh1 || !settings.lowerOrderFinal)) {
    throw new OptionError(
      'OPTION_CONFLICT',
      'sampler "unipc" cannot end at σ 0 with solver_type "bh1" or without lower_order_final',
      'Set final_sigmas_type "sigma_min" in scheduler_config.json, or use sampler "dpmpp_2m"',
      { details: { option: 'sampler' } },
    );
  }
  const orderOf = (done: number, left: number): number =>
    Math.min(settings.solverOrder, settings.lowerOrderFinal ? left : settings.solverOrder, done + 1);
  return solverSchedule(settings, (step) => {
    const predicted = predictor(step, orderOf(step.done, step.left), bh1);
    return step.done === 0 ? [predicted] : [corrector(step, orderOf(step.done - 1, step.left + 1), bh1), predicted];
  });
};
