import type { Settings } from './config.js';
import { alphasCumprod } from './noise-schedule.js';
import { denoisedVp } from './prediction.js';
import { type Schedule, update } from './row.js';
import { skippedSteps, wholeTimesteps } from './spacing.js';
import { onWholeTimesteps } from './whole-steps.js';

/**
 * DDIM, arXiv 2010.02502 eq. 12, on D (denoised):
 * x' = √ᾱ'·D + √(1−ᾱ'−s²)·e + s·ε with e = (x − √ᾱ·D)/√(1−ᾱ) and s = η·√((1−ᾱ')/(1−ᾱ)·(1−ᾱ/ᾱ')).
 */
export const ddim = (settings: Settings): Schedule => {
  const alphas = alphasCumprod(settings, 0);
  // trap: the next level is t − floor(T/n), for every spacing, not the next entry of the list
  const stride = Math.floor(settings.trainSteps / settings.steps);
  const final = settings.setAlphaToOne ? 1 : alphas[0]!;
  const timesteps = wholeTimesteps(settings).slice(skippedSteps(settings));
  const after = (t: number): number => (t >= stride ? alphas[t - stride]! : final);
  const eta = settings.eta ?? 0;

  const rows = timesteps.map((timestep, step) => {
    const [now, next] = [alphas[timestep]!, after(timestep)];
    const variance = Math.max(((1 - next) / (1 - now)) * (1 - now / next), 0);
    const noise = eta * Math.sqrt(variance);
    const direction = Math.sqrt(Math.max(1 - next - noise * noise, 0) / (1 - now));
    const denoised = denoisedVp(settings.prediction, Math.sqrt(now), Math.sqrt(1 - now));
    const outputs = [Math.sqrt(next) - direction * Math.sqrt(now)];
    return {
      step,
      timestep,
      inputScale: 1,
      keepX: denoised.x,
      keepOut: denoised.out,
      store: 'push' as const,
      updates: [update({ x: direction, outputs, noise, draws: eta > 0 })],
    };
  });
  return onWholeTimesteps(rows, timesteps, alphas, after(timesteps.at(-1)!));
};
