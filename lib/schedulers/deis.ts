import type { Settings } from './config.js';
import { lagrange } from './lagrange.js';
import { type Schedule, update } from './row.js';
import { orderOf, solverSchedule } from './solver.js';

/**
 * ∫ from v = 0 to `to` of eᵛ·ℓ(v) dv, ℓ the Lagrange polynomial of at most three points (v of each, newest first, 0 the first).
 * By parts it is eᵛ·(ℓ − ℓ' + ℓ''); the derivatives are those of a parabola, from three of its values.
 */
const weighted = (points: readonly number[], k: number, to: number): number => {
  const [low, zero, high] = [-1, 0, 1].map((t) => lagrange(points, k, t)) as [number, number, number];
  const [linear, square] = [(high - low) / 2, (high + low) / 2 - zero];
  const parts = (v: number): number => zero + (linear + square * v) * v - (linear + 2 * square * v) + 2 * square;
  return (to === Number.NEGATIVE_INFINITY ? 0 : Math.exp(to) * parts(to)) - parts(0);
};

/**
 * DEIS, arXiv 2204.13902 section 3.4 in log ρ, ρ = σ: dx̂/dρ = e for x̂ = x/α, and e is extended from its last values as a
 * polynomial in ln ρ: x' = α'·(x/α + Σ eₖ·∫ from ρ to ρ' of ℓₖ(ln ρ) dρ). What is kept is e.
 * source of the order at the ends and of the last σ, that of timestep 0: diffusers DEISMultistepScheduler
 */
export const deis = (settings: Settings): Schedule => {
  const full = solverSchedule(settings, (step) => {
    const [here, next] = [step.point(0), step.point(-1)];
    const points = Array.from({ length: orderOf(settings, step) }, (_, k) => here.lambda - step.point(k).lambda);
    const to = here.lambda - next.lambda; // ln ρ' − ln ρ
    const outputs = points.map((_, k) => next.alpha * here.sigma * weighted(points, k, to));
    return [update({ x: next.alpha / here.alpha, outputs })];
  });
  const rows = full.rows.map((row, step) => {
    const sigma = full.sigmas[step]!;
    const alpha = 1 / Math.sqrt(sigma * sigma + 1);
    // e = (x − α·D)/s
    return {
      ...row,
      keepX: (1 - alpha * row.keepX) / (sigma * alpha),
      keepOut: (-alpha * row.keepOut) / (sigma * alpha),
    };
  });
  return { ...full, rows };
};
