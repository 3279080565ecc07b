import { OptionError } from '../errors.js';
import type { Settings } from './config.js';
import { alphasCumprod } from './noise-schedule.js';
import { denoisedVp } from './prediction.js';
import { type Schedule, type Update, update } from './row.js';
import { onWholeTimesteps } from './whole-steps.js';

/** Timesteps of a distilled model: n of the list it was trained on, of which `strength` leaves the lower part. */
const distilledTimesteps = ({ steps, strength, originalSteps, trainSteps }: Settings): number[] => {
  const stride = Math.floor(trainSteps / originalSteps);
  const list = Array.from({ length: Math.trunc(originalSteps * strength) }, (_, i) => (i + 1) * stride - 1).reverse();
  if (steps > list.length) {
    throw new OptionError(
      'OPTION_RANGE',
      `Expected at most ${list.length} for steps (${originalSteps} of the distillation × strength ${strength}) but received ${steps}`,
      'Give fewer steps: these samplers need 2 to 8',
      { details: { option: 'steps', found: steps } },
    );
  }
  return Array.from({ length: steps }, (_, i) => list[Math.floor((i * list.length) / steps)]!);
};

const distilledSchedule = (
  settings: Settings,
  kept: (timestep: number) => { readonly x: number; readonly out: number },
  updateOf: (timestep: number, next: number | undefined) => Update,
): Schedule => {
  const alphas = alphasCumprod(settings, 0);
  const timesteps = distilledTimesteps(settings);
  const rows = timesteps.map((timestep, step) => {
    const { x, out } = kept(timestep);
    const updates = [updateOf(timestep, timesteps[step + 1])];
    return { step, timestep, inputScale: 1, keepX: x, keepOut: out, store: 'push' as const, updates };
  });
  return onWholeTimesteps(rows, timesteps, alphas, 1);
};

const denoisedAt = (settings: Settings, alpha: number) =>
  denoisedVp(settings.prediction, Math.sqrt(alpha), Math.sqrt(1 - alpha));

/**
 * LCM, arXiv 2310.04378: K = c_out·D + c_skip·x with boundary scalings of timestep t; then
 * x' = √ᾱ'·K + √(1−ᾱ')·ε, the last K itself.
 */
export const lcm = (settings: Settings): Schedule => {
  const alphas = alphasCumprod(settings, 0);
  const kept = (timestep: number) => {
    const scaled = timestep * settings.timestepScaling;
    const data = 0.5; // σ_data
    const skip = data ** 2 / (scaled ** 2 + data ** 2);
    const ofDenoised = scaled / Math.sqrt(scaled ** 2 + data ** 2);
    const denoised = denoisedAt(settings, alphas[timestep]!);
    return { x: ofDenoised * denoised.x + skip, out: ofDenoised * denoised.out };
  };
  return distilledSchedule(settings, kept, (_, next) => {
    if (next === undefined) return update({ outputs: [1] });
    return update({ outputs: [Math.sqrt(alphas[next]!)], noise: Math.sqrt(1 - alphas[next]!), draws: true });
  });
};

/**
 * TCD, arXiv 2402.19159: down to s = floor((1−γ)·t') by DDIM, x_s = √ᾱ_s·D + √(1−ᾱ_s)·e, then noise up to t':
 * x' = √(ᾱ'/ᾱ_s)·x_s + √(1−ᾱ'/ᾱ_s)·ε; after the last, t' = 0 and no noise. γ is the option eta, 0.3 by default.
 */
export const tcd = (settings: Settings): Schedule => {
  const alphas = alphasCumprod(settings, 0);
  const gamma = settings.eta ?? 0.3;
  return distilledSchedule(
    settings,
    (timestep) => denoisedAt(settings, alphas[timestep]!),
    (timestep, next) => {
      const now = alphas[timestep]!;
      const between = alphas[Math.floor((1 - gamma) * (next ?? 0))]!;
      const direction = Math.sqrt((1 - between) / (1 - now));
      const draws = gamma > 0 && next !== undefined;
      const share = draws ? alphas[next]! / between : 1;
      const down = Math.sqrt(share);
      const outputs = [down * (Math.sqrt(between) - direction * Math.sqrt(now))];
      return update({ x: down * direction, outputs, noise: Math.sqrt(1 - share), draws });
    },
  );
};
