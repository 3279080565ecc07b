import { ModelFileError, nearest, OptionError, quoted } from '../errors.js';
import {
  type Prediction,
  type SamplerDefaults,
  type ScheduleOptions,
  type SchedulerConfig,
  type Settings,
  settingsOf,
} from './config.js';
import { lcm, tcd } from './consistency.js';
import { ddim } from './ddim.js';
import { ddpm } from './ddpm.js';
import { deis } from './deis.js';
import { dpm2, dpm2Ancestral } from './dpm2.js';
import { dpmpp2m, dpmpp2mSde } from './dpmpp-2m.js';
import { dpmpp3mSde } from './dpmpp-3m-sde.js';
import { dpmppSde } from './dpmpp-sde.js';
import { euler, LAST_ALPHA } from './euler.js';
import { eulerAncestral } from './euler-ancestral.js';
import { heun } from './heun.js';
import { lms } from './lms.js';
import { alphasCumprod, sigmaAlong } from './noise-schedule.js';
import { pndm } from './pndm.js';
import type { Schedule } from './row.js';
import { unipc } from './unipc.js';

export {
  publicConfigs,
  readSchedulerConfig,
  type ScheduleOptions,
  type SchedulerConfig,
  schedulerConfig,
} from './config.js';
export type { NoiseMix, Schedule, StepRow, Update } from './row.js';

interface SamplerEntry {
  readonly rows: (settings: Settings) => Schedule;
  /** The class whose configuration names this sampler, where there is one. */
  readonly reference?: string;
  readonly defaults: SamplerDefaults;
  /** The option eta acts. */
  readonly eta?: true;
  /** It takes timesteps of its own: the option schedule does not act. */
  readonly ownSchedule?: true;
}

/** Of the classes that diffusers took over from k-diffusion. */
const kDiffusionBetas = { kind: 'linear', start: 0.00085, end: 0.012 } as const;
const distilledBetas = { kind: 'scaled_linear', start: 0.00085, end: 0.012 } as const;

/** Every sampler: its table of rows, and what its reference class assumes where a configuration says nothing. */
const SAMPLERS = {
  ddim: {
    rows: ddim,
    reference: 'DDIMScheduler',
    defaults: { spacing: 'leading', setAlphaToOne: true },
    eta: true,
    ownSchedule: true,
  },
  pndm: { rows: pndm, reference: 'PNDMScheduler', defaults: { spacing: 'leading' }, ownSchedule: true },
  euler: { rows: euler, reference: 'EulerDiscreteScheduler', defaults: { spacing: 'linspace' } },
  euler_ancestral: {
    rows: eulerAncestral,
    reference: 'EulerAncestralDiscreteScheduler',
    defaults: { spacing: 'linspace' },
    eta: true,
  },
  heun: {
    rows: heun,
    reference: 'HeunDiscreteScheduler',
    defaults: { spacing: 'linspace', betas: kDiffusionBetas },
  },
  dpmpp_2m: { rows: dpmpp2m, reference: 'DPMSolverMultistepScheduler', defaults: { spacing: 'linspace' } },
  dpmpp_2m_sde: {
    rows: dpmpp2mSde,
    reference: 'DPMSolverMultistepScheduler',
    defaults: { spacing: 'linspace' },
    eta: true,
  },
  unipc: { rows: unipc, reference: 'UniPCMultistepScheduler', defaults: { spacing: 'linspace' } },
  lcm: {
    rows: lcm,
    reference: 'LCMScheduler',
    defaults: { spacing: 'leading', setAlphaToOne: true, betas: distilledBetas },
    ownSchedule: true,
  },
  tcd: {
    rows: tcd,
    reference: 'TCDScheduler',
    defaults: { spacing: 'leading', setAlphaToOne: true, betas: distilledBetas },
    eta: true,
    ownSchedule: true,
  },
  dpmpp_sde: {
    rows: dpmppSde,
    reference: 'DPMSolverSDEScheduler',
    defaults: { spacing: 'linspace', betas: kDiffusionBetas },
    eta: true,
  },
  dpmpp_3m_sde: { rows: dpmpp3mSde, defaults: { spacing: 'linspace' }, eta: true },
  lms: { rows: lms, reference: 'LMSDiscreteScheduler', defaults: { spacing: 'linspace' } },
  dpm_2: {
    rows: dpm2,
    reference: 'KDPM2DiscreteScheduler',
    defaults: { spacing: 'linspace', betas: kDiffusionBetas },
  },
  dpm_2_ancestral: {
    rows: dpm2Ancestral,
    reference: 'KDPM2AncestralDiscreteScheduler',
    defaults: { spacing: 'linspace', betas: kDiffusionBetas },
    eta: true,
  },
  deis: {
    rows: deis,
    reference: 'DEISMultistepScheduler',
    defaults: { spacing: 'linspace', finalSigma: 'sigma_min' },
  },
  ddpm: { rows: ddpm, reference: 'DDPMScheduler', defaults: { spacing: 'leading' }, ownSchedule: true },
} as const satisfies Record<string, SamplerEntry>;

export type Sampler = keyof typeof SAMPLERS;

/** The names that the option `sampler` takes. */
export const samplers = Object.keys(SAMPLERS) as readonly Sampler[];

/** Whether the option eta acts with a sampler, and whether schedule does. */
export const traitsOf = (sampler: Sampler): { readonly eta: boolean; readonly schedule: boolean } => {
  const { eta, ownSchedule }: SamplerEntry = SAMPLERS[sampler];
  return { eta: eta === true, schedule: !ownSchedule };
};

/** The sampler that a model's own configuration names. */
export const samplerOf = (config: SchedulerConfig): Sampler => {
  const name = config._class_name ?? '';
  const isMultistep = name === SAMPLERS.dpmpp_2m.reference; // one class, told apart by its algorithm
  const type = config.algorithm_type ?? 'dpmsolver++';
  const found = isMultistep
    ? ({ 'dpmsolver++': 'dpmpp_2m', 'sde-dpmsolver++': 'dpmpp_2m_sde' } as const)[type]
    : samplers.find((key) => (SAMPLERS[key] as SamplerEntry).reference === name);
  if (found) return found;
  const what = isMultistep ? `algorithm_type ${quoted(config.algorithm_type ?? '')}` : quoted(name);
  throw new ModelFileError(
    'MODEL_FORMAT_UNSUPPORTED',
    `The model's scheduler, ${what}, has no sampler here`,
    `Name one with the option sampler: ${samplers.join(', ')}`,
    { details: { found: name } },
  );
};

const allFinite = (schedule: Schedule): boolean =>
  schedule.rows.every(
    (row) =>
      [row.timestep, row.inputScale, row.keepX, row.keepOut].every(Number.isFinite) &&
      row.updates.every((u) => [u.x, u.saved, u.noise, ...u.outputs].every(Number.isFinite)),
  );

/**
 * The table of rows that the step loop runs.
 *
 * @example
 * const run = schedule('euler', publicConfigs.sd15, 30, { schedule: 'karras' })
 */
export const schedule = (
  sampler: Sampler,
  config: SchedulerConfig,
  steps: number,
  options: ScheduleOptions = {},
): Schedule => {
  if (!Object.hasOwn(SAMPLERS, sampler)) {
    const near = nearest(String(sampler), samplers);
    throw new OptionError(
      'OPTION_UNKNOWN',
      `There is no sampler ${quoted(String(sampler))}`,
      near ? `Did you mean "${near}"?` : `Use one of ${samplers.join(', ')}`,
      { details: { option: 'sampler' } },
    );
  }
  const entry: SamplerEntry = SAMPLERS[sampler];
  if (config.clip_sample && ['ddim', 'ddpm', 'lcm', 'tcd'].includes(sampler)) {
    throw new ModelFileError(
      'MODEL_FORMAT_UNSUPPORTED',
      `clip_sample is true, which sampler "${sampler}" does not do to latents`,
      'Set clip_sample false in scheduler_config.json, or use sampler "euler"',
      { details: { field: 'clip_sample' } },
    );
  }
  const result = entry.rows(settingsOf(config, steps, options, entry.defaults));
  if (!allFinite(result)) {
    throw new OptionError(
      'OPTION_CONFLICT',
      `sampler "${sampler}" has no finite table for ${steps} steps with these schedule options`,
      'Give fewer steps, or leave schedule and spacing out',
      { details: { option: 'steps', found: steps } },
    );
  }
  return result;
};

/** What a model's network predicts, unless `options` say otherwise. */
export const predictionOf = (config: SchedulerConfig, options: ScheduleOptions): Prediction =>
  settingsOf(config, 1, options, { spacing: 'linspace' }).prediction;

/** σ at a fraction of a model's training timesteps, counted from pure noise. */
export const sigmaAt = (config: SchedulerConfig, fraction: number): number =>
  sigmaAlong(alphasCumprod(settingsOf(config, 1, {}, { spacing: 'linspace' }), LAST_ALPHA), fraction);
