import { z } from 'zod';
import { ModelFileError, OptionError, quoted } from '../errors.js';

export type Spacing = 'leading' | 'trailing' | 'linspace';
/** Schedules of A1111 and ComfyUI, from σ of the whole training schedule: spacing and spaced bounds have no part in them. */
export type FieldSchedule = 'normal' | 'simple' | 'sgm_uniform' | 'ddim_uniform';
export type SigmaSchedule = 'default' | 'karras' | 'exponential' | 'beta' | FieldSchedule;
export type Prediction = 'epsilon' | 'v' | 'sample';

/** The names that the options spacing, schedule and prediction take. */
export const spacings = ['leading', 'trailing', 'linspace'] as const satisfies readonly Spacing[];
const fieldSchedules = ['normal', 'simple', 'sgm_uniform', 'ddim_uniform'] as const satisfies readonly FieldSchedule[];
export const schedules = ['default', 'karras', 'exponential', 'beta', ...fieldSchedules] as const;
export const predictions = ['epsilon', 'v', 'sample'] as const satisfies readonly Prediction[];

/** Whether a schedule is one that only A1111 and ComfyUI have. */
export const isFieldSchedule = (schedule: SigmaSchedule): schedule is FieldSchedule =>
  (fieldSchedules as readonly string[]).includes(schedule);

// Every field may be absent or null: then the sampler's own default holds, as in the reference.
const flag = z.boolean().nullish();
const number = z.number().nullish();
const schema = z.object({
  _class_name: z.string().nullish(),
  num_train_timesteps: z.int().min(2).max(100_000).nullish(),
  beta_start: z.number().gt(0).lt(1).nullish(),
  beta_end: z.number().gt(0).lt(1).nullish(),
  beta_schedule: z.enum(['scaled_linear', 'linear', 'squaredcos_cap_v2']).nullish(),
  trained_betas: z.array(z.number().gte(0).lt(1)).min(2).max(100_000).nullish(),
  timestep_spacing: z.enum(['leading', 'trailing', 'linspace']).nullish(),
  steps_offset: z.int().min(0).max(1000).nullish(),
  prediction_type: z.enum(['epsilon', 'v_prediction', 'sample']).nullish(),
  rescale_betas_zero_snr: flag,
  set_alpha_to_one: flag,
  final_sigmas_type: z.enum(['zero', 'sigma_min']).nullish(),
  use_karras_sigmas: flag,
  use_exponential_sigmas: flag,
  use_beta_sigmas: flag,
  sigma_min: number,
  sigma_max: number,
  algorithm_type: z.string().nullish(),
  solver_order: z.int().min(1).max(3).nullish(),
  solver_type: z.string().nullish(),
  lower_order_final: flag,
  euler_at_final: flag,
  original_inference_steps: z.int().min(1).max(100_000).nullish(),
  timestep_scaling: number,
  clip_sample: flag,
  // What a linear row cannot say, or what belongs to other families of models: refused when asked for.
  thresholding: flag,
  use_lu_lambdas: flag,
  use_flow_sigmas: flag,
  predict_x0: flag,
  timestep_type: z.string().nullish(),
  interpolation_type: z.string().nullish(),
});

/** The fields of a diffusers `scheduler_config.json` that samplers read. */
export type SchedulerConfig = Readonly<z.infer<typeof schema>>;

const publicFields = {
  beta_start: 0.00085,
  beta_end: 0.012,
  beta_schedule: 'scaled_linear',
  steps_offset: 1,
  timestep_spacing: 'leading',
  set_alpha_to_one: false,
  clip_sample: false,
} as const;

/** What the public models ship, for checkpoints of one file, which hold no scheduler. */
export const publicConfigs = {
  sd15: { ...publicFields, _class_name: 'PNDMScheduler' },
  sdxl: { ...publicFields, _class_name: 'EulerDiscreteScheduler' },
} as const satisfies Record<string, SchedulerConfig>;

const REFUSED: readonly (readonly [keyof SchedulerConfig, readonly unknown[]])[] = [
  ['thresholding', [false]],
  ['use_lu_lambdas', [false]],
  ['use_flow_sigmas', [false]],
  ['predict_x0', [true]],
  ['timestep_type', ['discrete']],
  ['interpolation_type', ['linear']],
];

/** The configuration in a parsed JSON value; `path` names the file in errors. */
export const schedulerConfig = (json: unknown, path: string): SchedulerConfig => {
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    const field = issue.path.join('.') || 'the file';
    throw new ModelFileError(
      'MODEL_HEADER_INVALID',
      `${quoted(path)}: ${field}: ${issue.message}`,
      'Take the scheduler_config.json of the model this folder was made from',
      { details: { path, field } },
    );
  }
  for (const [field, allowed] of REFUSED) {
    const value = parsed.data[field];
    if (value != null && !allowed.includes(value)) {
      throw new ModelFileError(
        'MODEL_FORMAT_UNSUPPORTED',
        `${quoted(path)}: ${field} is ${quoted(String(value))}, expected ${String(allowed[0])}`,
        'Name another sampler, or take the scheduler_config.json of an SD1.5 or SDXL model',
        { details: { path, field } },
      );
    }
  }
  return parsed.data;
};

/** Reads the text of a `scheduler_config.json`. */
export const readSchedulerConfig = (text: string, path: string): SchedulerConfig => {
  // trap: Python writes `-Infinity` (lambda_min_clipped), which is not JSON; such a bound is none, as null is
  const json = text.replace(/(:\s*)(?:-?Infinity|NaN)(?=\s*[,}])/g, '$1null');
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new ModelFileError(
      'MODEL_HEADER_INVALID',
      `${quoted(path)} is not JSON`,
      'Take the file anew from where the model came from',
      { details: { path }, cause },
    );
  }
  return schedulerConfig(value, path);
};

/** Whose rule the level of the initial noise follows: the sampler's class in diffusers, A1111, ComfyUI. */
export type InitialNoise = 'reference' | 'sigma' | 'whole';

/** What a run may say about its schedule; anything left out comes from the model's configuration. */
export interface ScheduleOptions {
  readonly schedule?: SigmaSchedule | undefined;
  readonly spacing?: Spacing | undefined;
  readonly prediction?: Prediction | undefined;
  readonly zeroSnr?: boolean | undefined;
  /** How much fresh noise a step gets, 0…1: DDIM's η (default 0), TCD's γ (0.3), η of ancestral and SDE samplers (1). */
  readonly eta?: number | undefined;
  /** What the initial normal numbers are multiplied by (`initialSigma` of spacing.ts). Default `reference`. */
  readonly initial?: InitialNoise | undefined;
  /** img2img: the share of the steps that is run, 0…1, default 1. */
  readonly strength?: number | undefined;
  /** Euler with churn, Karras et al. 2022 alg. 2: S_churn, S_noise and the range of σ where it acts. */
  readonly churn?:
    | { readonly amount: number; readonly noise?: number; readonly min?: number; readonly max?: number }
    | undefined;
}

/** Configuration and options after defaults: what samplers compute from. */
export interface Settings {
  /** Steps of the full schedule, 1…trainSteps. */
  readonly steps: number;
  readonly strength: number;
  readonly trainSteps: number;
  readonly betas: {
    readonly kind: 'scaled_linear' | 'linear' | 'squaredcos_cap_v2';
    readonly start: number;
    readonly end: number;
  };
  readonly trainedBetas: readonly number[] | undefined;
  readonly zeroSnr: boolean;
  readonly spacing: Spacing;
  readonly stepsOffset: number;
  readonly schedule: SigmaSchedule;
  readonly prediction: Prediction;
  readonly finalSigma: 'zero' | 'sigma_min';
  readonly sigmaMin: number | undefined;
  readonly sigmaMax: number | undefined;
  readonly setAlphaToOne: boolean;
  readonly eta: number | undefined;
  readonly initial: InitialNoise;
  readonly churn: { readonly amount: number; readonly noise: number; readonly min: number; readonly max: number };
  readonly solverOrder: number;
  readonly solverType: string | undefined;
  readonly lowerOrderFinal: boolean;
  readonly eulerAtFinal: boolean;
  readonly originalSteps: number;
  readonly timestepScaling: number;
}

/** Defaults of one sampler's reference class, for fields that the configuration leaves out. */
export interface SamplerDefaults {
  readonly spacing: Spacing;
  readonly setAlphaToOne?: boolean;
  /** Of the schedule `default`; the others end at 0. */
  readonly finalSigma?: Settings['finalSigma'];
  readonly betas?: Settings['betas'];
}

const scheduleOf = (config: SchedulerConfig): SigmaSchedule =>
  config.use_karras_sigmas
    ? 'karras'
    : config.use_exponential_sigmas
      ? 'exponential'
      : config.use_beta_sigmas
        ? 'beta'
        : 'default';

/** Steps, configuration and options with every default filled in. */
export const settingsOf = (
  config: SchedulerConfig,
  steps: number,
  options: ScheduleOptions,
  defaults: SamplerDefaults,
): Settings => {
  const trainSteps = config.trained_betas?.length ?? config.num_train_timesteps ?? 1000;
  if (!Number.isInteger(steps) || steps < 1 || steps > trainSteps) {
    throw new OptionError(
      'OPTION_RANGE',
      `Expected a whole number from 1 to ${trainSteps} for steps but received ${steps}`,
      'Give steps such as 30',
      { details: { option: 'steps', found: steps } },
    );
  }
  const strength = options.strength ?? 1;
  if (!(strength >= 0 && strength <= 1)) {
    throw new OptionError(
      'OPTION_RANGE',
      `Expected a number from 0 to 1 for strength but received ${strength}`,
      'Give strength such as 0.6',
      { details: { option: 'strength', found: strength } },
    );
  }
  // Betas of the reference classes where the file says nothing (source: DDPM, arXiv 2006.11239)
  const betas = defaults.betas ?? { kind: 'linear', start: 0.0001, end: 0.02 };
  const schedule = options.schedule ?? scheduleOf(config);
  const inFile = { epsilon: 'epsilon', v_prediction: 'v', sample: 'sample' } as const;
  return {
    steps,
    strength,
    trainSteps,
    betas: {
      kind: config.beta_schedule ?? betas.kind,
      start: config.beta_start ?? betas.start,
      end: config.beta_end ?? betas.end,
    },
    trainedBetas: config.trained_betas ?? undefined,
    zeroSnr: options.zeroSnr ?? config.rescale_betas_zero_snr ?? false,
    spacing: options.spacing ?? config.timestep_spacing ?? defaults.spacing,
    stepsOffset: config.steps_offset ?? 0,
    schedule,
    prediction: options.prediction ?? inFile[config.prediction_type ?? 'epsilon'],
    finalSigma: config.final_sigmas_type ?? (schedule === 'default' ? defaults.finalSigma : undefined) ?? 'zero',
    sigmaMin: config.sigma_min ?? undefined,
    sigmaMax: config.sigma_max ?? undefined,
    setAlphaToOne: config.set_alpha_to_one ?? defaults.setAlphaToOne ?? false,
    eta: options.eta,
    initial: options.initial ?? 'reference',
    churn: {
      amount: options.churn?.amount ?? 0,
      noise: options.churn?.noise ?? 1,
      min: options.churn?.min ?? 0,
      max: options.churn?.max ?? Number.POSITIVE_INFINITY,
    },
    solverOrder: config.solver_order ?? 2,
    solverType: config.solver_type ?? undefined,
    lowerOrderFinal: config.lower_order_final ?? true,
    eulerAtFinal: config.euler_at_final ?? false,
    originalSteps: config.original_inference_steps ?? 50,
    timestepScaling: config.timestep_scaling ?? 10,
  };
};
