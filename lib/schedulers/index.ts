import { ModelFileError, nearest, OptionError, quoted } from '../errors.js';
import {
  type SamplerDefaults,
  type ScheduleOptions,
  type SchedulerConfig,
  type Settings,
  settingsOf,
} from './config.js';
import { lcm, tcd } from './consistency.js';
import { ddim } from './ddim.js';
import { dpmpp2m, dpmpp2mSde } from './dpmpp-2m.js';
import { euler, LAST_ALPHA } from './euler.js';
import { eulerAncestral } from './euler-ancestral.js';
import { heun } from './heun.js';
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
  /** The class whose configuration names this sampler. */
  readonly reference: string;
  readonly defaults: SamplerDefaults;
}

const distilledBetas = { kind: 'scaled_linear', start: 0.00085, end: 0.012 } as const;

/** Every sampler: its table of rows, and what its reference class assumes where a configuration says nothing. */
const SAMPLERS = {
  ddim: { rows: ddim, reference: 'DDIMScheduler', defaults: { spacing: 'leading', setAlphaToOne: true } },
  pndm: { rows: pndm, reference: 'PNDMScheduler', defaults: { spacing: 'leading' } },
  euler: { rows: euler, reference: 'EulerDiscreteScheduler', defaults: { spacing: 'linspace' } },
  euler_ancestral: {
    rows: eulerAncestral,
    reference: 'EulerAncestralDiscreteScheduler',
    defaults: { spacing: 'linspace' },
  },
  heun: {
    rows: heun,
    reference: 'HeunDiscreteScheduler',
    defaults: { spacing: 'linspace', betas: { kind: 'linear', start: 0.00085, end: 0.012 } },
  },
  dpmpp_2m: { rows: dpmpp2m, reference: 'DPMSolverMultistepScheduler', defaults: { spacing: 'linspace' } },
  dpmpp_2m_sde: { rows: dpmpp2mSde, reference: 'DPMSolverMultistepScheduler', defaults: { spacing: 'linspace' } },
  unipc: { rows: unipc, reference: 'UniPCMultistepScheduler', defaults: { spacing: 'linspace' } },
  lcm: {
    rows: lcm,
    reference: 'LCMScheduler',
    defaults: { spacing: 'leading', setAlphaToOne: true, betas: distilledBetas },
  },
  tcd: {
    rows: tcd,
    reference: 'TCDScheduler',
    defaults: { spacing: 'leading', setAlphaToOne: true, betas: distilledBetas },
  },
} as const satisfies Record<string, SamplerEntry>;

export type Sampler = keyof typeof SAMPLERS;

/** The names that the option `sampler` takes. */
export const samplers = Object.keys(SAMPLERS) as readonly Sampler[];

/** The sampler that a model's own configuration names. */
export const samplerOf = (config: SchedulerConfig): Sampler => {
  const name = config._class_name ?? '';
  if (name === SAMPLERS.dpmpp_2m.reference) {
    const type = config.algorithm_type ?? 'dpmsolver++';
    if (type === 'dpmsolver++') return 'dpmpp_2m';
    if (type === 'sde-dpmsolver++') return 'dpmpp_2m_sde';
  }
  const found = samplers.find((key) => SAMPLERS[key].reference === name && !key.startsWith('dpmpp'));
  if (found) return found;
  const what =
    name === SAMPLERS.dpmpp_2m.reference ? `algorithm_type ${quoted(config.algorithm_type ?? '')}` : quoted(name);
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
  if (config.clip_sample && ['ddim', 'lcm', 'tcd'].includes(sampler)) {
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

/** σ at a fraction of a model's training timesteps, counted from pure noise. */
export const sigmaAt = (config: SchedulerConfig, fraction: number): number =>
  sigmaAlong(alphasCumprod(settingsOf(config, 1, {}, { spacing: 'linspace' }), LAST_ALPHA), fraction);
