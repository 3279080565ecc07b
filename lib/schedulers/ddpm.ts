import type { Settings } from './config.js';
import { alphasCumprod } from './noise-schedule.js';
import { denoisedVp } from './prediction.js';
import { type Schedule, update } from './row.js';
import { skippedSteps, wholeTimesteps } from './spacing.js';
import { onWholeTimesteps } from './whole-steps.js';

/**
 * DDPM, arXiv 2006.11239 eq. 7, on D (denoised), with a = ᾱ/ᾱ':
 * x' = √ᾱ'(1−a)/(1−ᾱ)·D + √a(1−ᾱ')/(1−ᾱ)·x + √((1−ᾱ')/(1−ᾱ)·(1−a))·ε, ᾱ' = 1 after the last.
 * source of the steps: diffusers DDPMScheduler, "fixed_small", which draws wherever the timestep is above 0
 */
export const ddpm = (settings: Settings): Schedule => {
  const alphas = alphasCumprod(settings, 0);
  const stride = Math.floor(settings.trainSteps / settings.steps);
  const timesteps = wholeTimesteps(settings).slice(skippedSteps(settings));
  const after = (t: number): number => (t >= stride ? alphas[t - stride]! : 1);

  const rows = timesteps.map((timestep, step) => {
    const [now, next] = [alphas[timestep]!, after(timestep)];
    const share = now / next;
    const denoised = denoisedVp(settings.prediction, Math.sqrt(now), Math.sqrt(1 - now));
    const ofDenoised = (Math.sqrt(next) * (1 - share)) / (1 - now);
    const ofX = (Math.sqrt(share) * (1 - next)) / (1 - now);
    const noise = Math.sqrt(((1 - next) / (1 - now)) * (1 - share));
    return {
      step,
      timestep,
      inputScale: 1,
      keepX: denoised.x,
      keepOut: denoised.out,
      store: 'push' as const,
      updates: [update({ x: ofX, outputs: [ofDenoised], noise, draws: timestep > 0 })],
    };
  });
  return onWholeTimesteps(rows, timesteps, alphas, after(timesteps.at(-1)!));
};
