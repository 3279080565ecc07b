import { isFieldSchedule, type Settings } from './config.js';
import { alphasCumprod } from './noise-schedule.js';
import { denoisedSigma } from './prediction.js';
import { type Schedule, type StepRow, update } from './row.js';
import { initialSigma, type SigmaTable, sigmaTable, skippedSteps } from './spacing.js';

/** ᾱ that takes the place of 0 with zero terminal SNR: σ 4095.99976. source: diffusers EulerDiscreteScheduler */
export const LAST_ALPHA = 2 ** -24;

/** source: diffusers init_noise_sigma; schedules that no class of it has begin at their first σ, whatever the spacing says */
const eulerInitial = ({ spacing, schedule }: Settings, { sigmas }: SigmaTable): number => {
  const max = Math.max(...sigmas);
  return spacing === 'leading' && !isFieldSchedule(schedule) ? Math.sqrt(max * max + 1) : max;
};

/** What the samplers on x = x₀ + σ·ε have in common: input scale, initial noise, noising. */
export const sigmaSpaceSchedule = (settings: Settings, rowsOf: (table: SigmaTable) => readonly StepRow[]): Schedule => {
  const full = sigmaTable(settings, alphasCumprod(settings, LAST_ALPHA), 'euler');
  const skip = skippedSteps(settings);
  const table = { ...full, timesteps: full.timesteps.slice(skip), sigmas: full.sigmas.slice(skip) };
  const rows = rowsOf(table);
  const levels = rows.map((row) => Math.sqrt(1 / row.inputScale ** 2 - 1)); // σ back from 1/√(σ²+1)
  return {
    rows,
    timesteps: rows.map((row) => row.timestep),
    sigmas: [...levels, table.sigmas.at(-1)!],
    steps: table.timesteps.length,
    initNoiseSigma: initialSigma(settings, full, eulerInitial(settings, full)),
    addNoise: (index) => ({ signal: 1, noise: levels[index]! }),
  };
};

/** The network's share of a row at level σ: what it is given and how the denoised latents follow. */
export const sigmaSpaceCall = (settings: Settings, timestep: number, sigma: number) => {
  const denoised = denoisedSigma(settings.prediction, sigma);
  return {
    timestep,
    inputScale: 1 / Math.sqrt(sigma * sigma + 1),
    keepX: denoised.x,
    keepOut: denoised.out,
    store: 'push' as const,
  };
};

/**
 * Euler, Karras et al. 2022 alg. 2: x' = x + (x − D)/σ·(σ' − σ) = (σ'/σ)·x + (1 − σ'/σ)·D.
 *
 * Churn first raises x to level σ̂ = σ(1+γ) with noise c·ε. The network still saw x, but D is taken from x̂ = x + c·ε; as
 * D = a·x̂ + b·m, the row keeps a·x + b·m and a·c·ε joins the noise.
 */
export const euler = (settings: Settings): Schedule =>
  sigmaSpaceSchedule(settings, ({ timesteps, sigmas }) =>
    timesteps.map((timestep, step) => {
      const [sigma, next] = [sigmas[step]!, sigmas[step + 1]!];
      const { amount, noise, min, max } = settings.churn;
      const gamma = sigma >= min && sigma <= max ? Math.min(amount / settings.steps, Math.SQRT2 - 1) : 0;
      const raised = sigma * (1 + gamma);
      const added = noise * Math.sqrt(raised * raised - sigma * sigma);
      const denoised = denoisedSigma(settings.prediction, raised);
      const keep = next / raised;
      return {
        ...sigmaSpaceCall(settings, timestep, sigma),
        step,
        keepX: denoised.x,
        keepOut: denoised.out,
        updates: [
          update({ x: keep, outputs: [1 - keep], noise: (keep + (1 - keep) * denoised.x) * added, draws: gamma > 0 }),
        ],
      };
    }),
  );
