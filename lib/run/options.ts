import { z } from 'zod';
import { type FaceReference, faceReferenceOf } from '../adapters/face-reference.js';
import { type Reference, type ReferenceSettings, referenceOf } from '../adapters/reference.js';
import type { WindowMode } from '../adapters/window.js';
import { type Control, type ControlSettings, controlOf } from '../controls/options.js';
import { OptionError } from '../errors.js';
import { type InitOptions, type InitSettings, initOf } from '../init/options.js';
import { type RunLora, type RunLoraSettings, runLoraOf } from '../loras/options.js';
import type { ModelDefaults } from '../models/options.js';
import { expectedFor, readList, readPlain } from '../options/check.js';
import { readOptions } from '../options/read.js';
import { defaultOf } from '../options/row.js';
import { func, whole } from '../options/schemas.js';
import { GENERATE } from '../options/table/generate.js';
import { MAX_PROMPT_CHARS, type PromptSyntax } from '../prompt/index.js';
import type { Prediction, SigmaSchedule, Spacing } from '../schedulers/config.js';
import type { Sampler } from '../schedulers/index.js';
import { foreignNameHint } from '../schedulers/names.js';
import {
  type BatchNoise,
  type NoiseConvention,
  type NoiseSettings,
  noiseSettings,
  type RngDtype,
} from '../schedulers/noise.js';
import { type HiresOptions, type HiresSettings, hiresOf } from './hires.js';
import type { JobEvent } from './job.js';
import { type FreeUOptions, freeUOf, guidanceWindowOf, type LessSettings, type ReuseOptions, reuseOf } from './less.js';
import { type PreviewOptions, type PreviewSettings, previewOf } from './preview.js';
import { type SizeOptions, sizesOf } from './sizes.js';

/**
 * What one call of `generate` draws. Sizes are in pixels.
 *
 * @example
 * const options: GenerateOptions = { prompt: 'portrait of a woman, smiling', references: [{ image: 'her.png' }], seed: 7 }
 */
export interface GenerateOptions {
  readonly prompt: string;
  /** What to keep out. Left out is not the same as empty for SDXL, where it is a context of zeros. */
  readonly negativePrompt?: string;
  /** What SDXL's second text encoder reads. Default: as prompt. */
  readonly prompt2?: string;
  /** The same of negativePrompt. Default: as negativePrompt. */
  readonly negativePrompt2?: string;
  /** How prompts are read: docs/prompts.md. `plain`: the text as it stands. Default `a1111`. */
  readonly promptSyntax?: PromptSyntax;
  /** In pixels, 64…4,096, a multiple of 8. Default: the model's size. */
  readonly width?: number;
  /** In pixels, 64…4,096, a multiple of 8. Default: the model's size. */
  readonly height?: number;
  /** 1…1,000. Default 30, or the model's own. */
  readonly steps?: number;
  /** 0…50; 1 or less: off. Default 7.5 (SD1.5) or 5 (SDXL), or the model's own. */
  readonly guidanceScale?: number;
  /** 0…1. Default 0. */
  readonly guidanceRescale?: number;
  /** Share of the steps before which guidance is off, 0…1. Default 0. */
  readonly guidanceStart?: number;
  /** Share of the steps behind which it is off, 0…1; a step without it costs half. Default 1. */
  readonly guidanceEnd?: number;
  /** Whether both are shares of the steps, or of the training timesteps, whose σ is compared. Default `step`. */
  readonly guidanceWindowMode?: WindowMode;
  /** Whole number from 0, or BigInt to 2⁶⁴ − 1; picture i has seed + i. Default: drawn and reported. */
  readonly seed?: number | bigint;
  /** How many pictures, 1…64. Default 1. */
  readonly count?: number;
  /** Default: the model's scheduler. */
  readonly sampler?: Sampler;
  /** How noise levels are spaced. Default: the model's. */
  readonly schedule?: SigmaSchedule;
  /** Which of the training timesteps are taken. Default: the sampler's. */
  readonly spacing?: Spacing;
  /** What the network predicts. Default: the model's. */
  readonly prediction?: Prediction;
  /**
   * The noise of training is stretched to end without signal. For models trained so, with prediction `v` and spacing
   * `trailing`. Default: the model's.
   */
  readonly zeroSnr?: boolean;
  /** η, of TCD γ: how much fresh noise each step gets, 0…1. Default: 0 for DDIM, 0.3 for TCD, 1 for ancestral and SDE samplers. */
  readonly eta?: number;
  /**
   * Whose random numbers a seed gives. `comfyui` draws all pictures at once and the noise of steps as a card does; it and
   * `a1111` also multiply the initial noise as those tools do. Default `torch-cpu`.
   */
  readonly noise?: NoiseConvention;
  /** The number type that noise is drawn in, for parity with runs in half precision. Default `f32`. */
  readonly rngDtype?: RngDtype;
  /** `per-image`: picture i has seed + i; `single`: all are one draw. Default: per-image, with noise comfyui single. */
  readonly batchNoise?: BatchNoise;
  /** Layers of the text encoder left out, for both prompts or as `[prompt, negativePrompt]`. Default 0. */
  readonly clipSkip?: number | readonly [number, number];
  /** What SDXL is told of the picture's size. Default: the picture's. */
  readonly size?: SizeOptions;
  /** A picture to begin with, and where it is painted anew. */
  readonly init?: InitOptions;
  /** A second pass at a larger size. */
  readonly hires?: HiresOptions;
  /** Pictures of what is drawn so far, as events. Default: none. */
  readonly preview?: PreviewOptions;
  /** Deep features of the network that are reused from step to step. */
  readonly reuse?: ReuseOptions;
  /** FreeU: `true` for the family's factors. */
  readonly freeU?: true | FreeUOptions;
  /** Free text for the metadata: 200 and 2,000 characters at most. */
  readonly label?: string;
  readonly note?: string;
  /** Write the settings into the pictures' files. Default true. */
  readonly metadata?: boolean;
  readonly references?: readonly Reference[];
  /** Pictures that steer the composition through ControlNets and T2I-Adapters. */
  readonly controls?: readonly Control[];
  /** The LoRAs of this run, in place of all that are attached; `<lora:name:w>` comes on top. Default: those attached. */
  readonly loras?: readonly RunLora[];
  /** People with a place in the picture each: short for references with masks, which come after the others. */
  readonly faces?: readonly FaceReference[];
  readonly signal?: AbortSignal;
  /** Called with every event, in order; an error thrown here fails the run. */
  readonly onProgress?: (event: JobEvent) => void;
}

const MAX_SEED = 2n ** 64n - 1n;

const clipSkip = whole(...GENERATE.rows.clipSkip.range); // of at most 48 layers; the model's own number is checked when the run begins

const own = {
  prompt: z.string(GENERATE.rows.prompt.expects),
  negativePrompt: z.string(GENERATE.rows.negativePrompt.expects),
  prompt2: z.string(GENERATE.rows.prompt2.expects),
  negativePrompt2: z.string(GENERATE.rows.negativePrompt2.expects),
  size: z.unknown(), // checked by sizesOf
  init: z.unknown(), // checked by initOf
  hires: z.unknown(), // checked by hiresOf
  preview: z.unknown(), // checked by previewOf
  reuse: z.unknown(), // checked by reuseOf
  freeU: z.unknown(), // checked by freeUOf
  seed: z.custom<number | bigint>(() => true), // checked by seedOf
  clipSkip: z.union([clipSkip, z.tuple([clipSkip, clipSkip])]),
  references: z.array(z.unknown()), // checked one by one
  loras: z.array(z.unknown()), // the same
  faces: z.array(z.unknown()), // the same
  controls: z.array(z.unknown()), // the same
  onProgress: func<(event: JobEvent) => void>(),
};

/** The options of a run with every default filled in. */
export interface RunSettings extends NoiseSettings, Omit<LessSettings, 'guidanceScale'> {
  readonly prompt: string;
  readonly negativePrompt: string | undefined;
  readonly prompt2: string | undefined;
  readonly negativePrompt2: string | undefined;
  readonly promptSyntax: PromptSyntax;
  readonly width: number;
  readonly height: number;
  readonly steps: number;
  readonly guidanceScale: number;
  readonly guidanceRescale: number;
  readonly seeds: readonly bigint[];
  readonly sampler: Sampler;
  readonly schedule: SigmaSchedule | undefined;
  readonly spacing: Spacing | undefined;
  readonly prediction: Prediction | undefined;
  readonly zeroSnr: boolean | undefined;
  readonly eta: number | undefined;
  readonly clipSkip: readonly [number, number];
  readonly size: SizeOptions | undefined;
  readonly init: InitSettings | undefined;
  readonly hires: HiresSettings | undefined;
  readonly preview: PreviewSettings | undefined;
  readonly label: string | undefined;
  readonly note: string | undefined;
  readonly metadata: boolean;
  readonly references: readonly ReferenceSettings[];
  readonly controls: readonly ControlSettings[];
  readonly loras: readonly RunLoraSettings[] | undefined;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((event: JobEvent) => void) | undefined;
}

const drawSeed = (): bigint => BigInt(crypto.getRandomValues(new Uint32Array(1))[0]!);

const seedOf = (seed: unknown): bigint => {
  if (seed === undefined) return drawSeed();
  if (typeof seed === 'bigint' && seed >= 0n && seed <= MAX_SEED) return seed;
  if (typeof seed === 'number' && Number.isSafeInteger(seed) && seed >= 0) return BigInt(seed);
  throw expectedFor(
    'OPTION_RANGE',
    'seed',
    GENERATE.rows.seed.expects,
    seed,
    seed === -1 || seed === -1n
      ? '-1 means random elsewhere: leave seed out'
      : 'Give seed such as 42, or leave it out to have one drawn',
  );
};

const limitPrompt = (prompt: string | undefined, option: string, most: number): void => {
  if (prompt === undefined || prompt.length <= most) return;
  throw new OptionError(
    'PROMPT_TOO_LONG',
    `${option} has ${prompt.length} characters, at most ${most} are allowed`,
    'Shorten it, or raise maxPromptChars when loading',
    { details: { option, found: prompt.length, expected: most } },
  );
};

const nearestSide = (option: string, found: unknown): string | undefined => {
  if (!['width', 'height'].includes(option) || typeof found !== 'number' || Number.isNaN(found)) return undefined;
  return `The nearest valid size is ${Math.min(4096, Math.max(64, Math.round(found / 8) * 8))}`;
};

/** Checks the options of a run and fills in the defaults; every buffer in them is copied before this returns. */
export const runSettings = (
  options: unknown,
  defaults: ModelDefaults,
  maxPromptChars: number = MAX_PROMPT_CHARS,
): RunSettings => {
  const prepare = (raw: Record<string, unknown>): void => {
    raw.clipSkip = readPlain(raw.clipSkip, 'clipSkip');
    for (const name of ['references', 'loras', 'faces', 'controls'] as const) {
      const list = raw[name];
      if (list === undefined) continue;
      const isEmpty = Array.isArray(list) && list.length === 0;
      raw[name] = isEmpty ? [] : readList(list, name, GENERATE.rows[name].range[1]);
    }
  };
  const mend = (option: string, found: unknown): string | undefined =>
    nearestSide(option, found) ?? foreignNameHint(option, found);
  const given = readOptions(GENERATE, options, own, [], prepare, mend);
  for (const name of ['prompt', 'negativePrompt', 'prompt2', 'negativePrompt2'] as const)
    limitPrompt(given[name], name, maxPromptChars);
  const first = seedOf(given.seed);
  const skip = given.clipSkip ?? defaultOf(GENERATE, 'clipSkip');
  const { references = [], faces = [] } = given;
  const [width, height] = [given.width ?? defaults.width, given.height ?? defaults.height];
  const most = GENERATE.rows.references.range[1];
  if (references.length + faces.length > most) {
    const found = references.length + faces.length;
    throw expectedFor('OPTION_RANGE', 'faces', `at most ${most} entries of references and faces together`, found);
  }
  const noise = noiseSettings(
    given.noise ?? defaultOf(GENERATE, 'noise'),
    given.rngDtype ?? defaultOf(GENERATE, 'rngDtype'),
    given.batchNoise,
  );
  const ownSampler = given.sampler === undefined || given.sampler === defaults.sampler;
  return {
    prompt: given.prompt,
    negativePrompt: given.negativePrompt,
    prompt2: given.prompt2,
    negativePrompt2: given.negativePrompt2,
    promptSyntax: given.promptSyntax ?? defaultOf(GENERATE, 'promptSyntax'),
    width,
    height,
    steps: given.steps ?? defaults.steps,
    guidanceScale: given.guidanceScale ?? defaults.guidanceScale,
    guidanceRescale: given.guidanceRescale ?? defaultOf(GENERATE, 'guidanceRescale'),
    ...guidanceWindowOf(given),
    seeds: Array.from({ length: given.count ?? defaultOf(GENERATE, 'count') }, (_, i) =>
      noise.batchNoise === 'single' ? first : BigInt.asUintN(64, first + BigInt(i)),
    ),
    sampler: given.sampler ?? defaults.sampler,
    schedule: given.schedule ?? (ownSampler ? defaults.schedule : undefined),
    spacing: given.spacing,
    prediction: given.prediction,
    zeroSnr: given.zeroSnr,
    eta: given.eta,
    ...noise,
    clipSkip: typeof skip === 'number' ? [skip, skip] : skip,
    size: sizesOf(given.size),
    init: initOf(given.init),
    hires: hiresOf(given.hires, { width, height }),
    preview: previewOf(given.preview),
    reuse: reuseOf(given.reuse),
    freeU: freeUOf(given.freeU),
    label: given.label,
    note: given.note,
    metadata: given.metadata ?? defaultOf(GENERATE, 'metadata'),
    references: [
      ...references.map((reference, i) => referenceOf(reference, ['references', i], defaults.scale)),
      ...faces.map((face, i) => faceReferenceOf(face, i, defaults.scale, { width, height })),
    ],
    controls: (given.controls ?? []).map(controlOf),
    loras: given.loras?.map(runLoraOf),
    signal: given.signal,
    onProgress: given.onProgress,
  };
};
