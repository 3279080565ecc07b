import type { Settings } from './config.js';
import { slopes } from './dpmpp-2m.js';
import { type Schedule, update } from './row.js';
import { solverSchedule } from './solver.js';

/**
 * DPM-Solver++ SDE over three points, on m (denoised), with H = (1+η)h, φ₂ = (e^{−H} − 1)/H + 1 and φ₃ = φ₂/H − ½:
 * x' = (s'/s)·e^{−ηh}·x + α'((1 − e^{−H})·m + φ₂·D₁ − φ₃·D₂) + s'√(1 − e^{−2ηh})·ε.
 * source: k-diffusion sample_dpmpp_3m_sde; as many points as there are, the last step to σ 0 gives m, without noise
 *
 * trap: ε are successive draws of the run's generator, not of a Brownian tree as there.
 */
export const dpmpp3mSde = (settings: Settings): Schedule => {
  const eta = settings.eta ?? 1;
  return solverSchedule(settings, (step) => {
    const [here, next] = [step.point(0), step.point(-1)];
    if (next.sigma === 0) return [update({ outputs: [1] })];
    const h = next.lambda - here.lambda;
    const total = (1 + eta) * h; // H
    const phi2 = Math.expm1(-total) / total + 1;
    const phi3 = phi2 / total - 0.5;
    const order = Math.min(step.done + 1, 3);
    const outputs = [-next.alpha * Math.expm1(-total), 0, 0].slice(0, order);
    if (order > 1) {
      const { first, second } = slopes(step, order, h);
      for (let k = 0; k < order; ++k) outputs[k]! += next.alpha * (phi2 * first[k]! - phi3 * (second[k] ?? 0));
    }
    const keep = (next.s / here.s) * Math.exp(-eta * h);
    const noise = next.s * Math.sqrt(-Math.expm1(-2 * eta * h));
    return [update({ x: keep, outputs, noise, draws: eta > 0 })];
  });
};
