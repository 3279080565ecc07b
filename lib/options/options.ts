import { z } from 'zod';
import type { Adapter } from '../adapters/adapter.js';
import type { Scale } from '../adapters/scales.js';
import { OptionError } from '../errors.js';
import { type CapturedImage, captureImage, type ImageSource } from '../images/image.js';
import { MAX_PROMPT_CHARS, type PromptSyntax } from '../prompt/index.js';
import type { JobEvent } from '../run/job.js';
import type { Prediction, SigmaSchedule, Spacing } from '../schedulers/config.js';
import { type Sampler, samplers } from '../schedulers/index.js';
import { checked, expectedFor, type Names, optionPath, readList, readOnce, readPlain } from './check.js';

/** Which faces of a picture are meant, when there are several: by rule, or by place in the detector's order (best first). */
export type PickFace = 'largest' | 'score' | 'center' | 'left' | 'only' | 'all' | number;

/** A face that the caller has analysed: the recogniser's raw numbers and, for FaceID Plus, an aligned close-up. */
export interface GivenFace {
  readonly identity: Float32Array;
  readonly crop?: ImageSource;
}

/** Where an image prompt comes from: exactly one of these. */
export type ReferenceSource =
  | { readonly image: ImageSource; readonly images?: never; readonly face?: never }
  | { readonly images: readonly ImageSource[]; readonly image?: never; readonly face?: never }
  | { readonly face: GivenFace; readonly image?: never; readonly images?: never };

/**
 * One image prompt of a run.
 *
 * @example
 * const reference: Reference = { adapter: 'faceid', image: 'person.jpg', scale: 0.8 }
 */
export type Reference = ReferenceSource & {
  /** Handle or name of an attached adapter. Default: the only one attached. */
  readonly adapter?: Adapter | string;
  /** Strength, −1…5, or one of the per-block notations. Default 1. */
  readonly scale?: Scale;
  /** Strength of a FaceID adapter's own LoRA in this run, 0…2. Default: as attached. */
  readonly loraScale?: number;
  /** One number per image, 0…10, where images are averaged (FaceID). Default: all 1. */
  readonly weights?: readonly number[];
  /** FaceID Plus v2: how much the face's picture counts beside its identity, 0…2. Default 1. */
  readonly structureScale?: number;
  /** Which face of a picture with several. Default `largest`. */
  readonly pickFace?: PickFace;
};

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
  /** `a1111`: emphasis, BREAK and `<lora:name:w>`; `plain`: the text as it stands. Default `a1111`. */
  readonly promptSyntax?: PromptSyntax;
  /** Multiples of 8, 64…4096. Default: the model's size. */
  readonly width?: number;
  readonly height?: number;
  /** 1…1000. Default 30, or the model's own. */
  readonly steps?: number;
  /** 0…50; 1 or less: off. Default 7.5 (SD1.5) or 5 (SDXL), or the model's own. */
  readonly guidanceScale?: number;
  /** 0…1. Default 0. */
  readonly guidanceRescale?: number;
  /** Whole number from 0, or BigInt to 2⁶⁴ − 1; picture i has seed + i. Default: drawn and reported. */
  readonly seed?: number | bigint;
  /** How many pictures, 1…64. Default 1. */
  readonly count?: number;
  /** Default: the model's scheduler. */
  readonly sampler?: Sampler;
  readonly schedule?: SigmaSchedule;
  readonly spacing?: Spacing;
  /** What the network predicts. Default: the model's. */
  readonly prediction?: Prediction;
  /** DDIM's η (default 0) and TCD's γ (default 0.3), 0…1. */
  readonly eta?: number;
  /** Layers of the text encoder left out, for both prompts or as `[prompt, negativePrompt]`. Default 0. */
  readonly clipSkip?: number | readonly [number, number];
  /** Free text for the metadata: 200 and 2,000 characters at most. */
  readonly label?: string;
  readonly note?: string;
  /** Write the settings into the pictures' files. Default true. */
  readonly metadata?: boolean;
  readonly references?: readonly Reference[];
  readonly signal?: AbortSignal;
  /** Called with every event, in order; an error thrown here fails the run. */
  readonly onProgress?: (event: JobEvent) => void;
}

/** Every default that no model names. */
export const DEFAULTS = {
  steps: 30,
  guidanceScale: { sd15: 7.5, sdxl: 5 },
  size: { sd15: 512, sdxl: 1024 }, // px, where a model says nothing
  guidanceRescale: 0,
  count: 1,
  clipSkip: 0,
  promptSyntax: 'a1111',
  metadata: true,
  scale: 1,
  loraScale: 1,
  structureScale: 1,
  pickFace: 'largest',
  faceCrop: 224, // px
  maxQueue: 64, // waiting runs
  maxPixels: 33_554_432, // 8192 × 4096
  background: '#ffffff',
} as const;

/** The names that the option `schedule` takes. */
export const schedules = ['default', 'karras', 'exponential', 'beta'] as const satisfies readonly SigmaSchedule[];

const MAX_REFERENCES = 16;
const MAX_IMAGES = 16; // of one reference; the portrait adapters were trained with 5
const MAX_SEED = 2n ** 64n - 1n;

const whole = (least: number, most: number) => {
  const expected = `a whole number from ${least} to ${most}`;
  return z.int(expected).min(least, expected).max(most, expected);
};
const number = (least: number, most: number) => {
  const expected = `a number from ${least} to ${most}`;
  return z.number(expected).min(least, expected).max(most, expected);
};
const side = () => {
  const expected = 'a multiple of 8 from 64 to 4096';
  return z.int(expected).min(64, expected).max(4096, expected).multipleOf(8, expected);
};
const text = (most: number) => z.string('text').max(most, `text of at most ${most} characters`);
const oneOf = <const T extends readonly string[]>(names: T) => z.enum(names, `one of ${names.join(', ')}`);
const flag = () => z.boolean('true or false');
const func = <F>() => z.custom<F>((value) => typeof value === 'function', 'a function');

/** An AbortSignal by what is used of it, so that those of other realms pass too. */
export const signalSchema = z.custom<AbortSignal>(
  (value) => typeof value === 'object' && value !== null && 'aborted' in value && 'addEventListener' in value,
  'an AbortSignal',
);

export const pickFaceSchema: z.ZodType<PickFace> = z.union(
  [z.enum(['largest', 'score', 'center', 'left', 'only', 'all']), z.int().min(0).max(999)],
  'largest, score, center, left, only, all or an index from 0 to 999',
);

const clipSkip = whole(0, 47); // of at most 48 layers; the model's own number is checked when the run begins

const generateShape = {
  prompt: z.string('text'),
  negativePrompt: z.string('text').optional(),
  promptSyntax: oneOf(['a1111', 'plain']).optional(),
  width: side().optional(),
  height: side().optional(),
  steps: whole(1, 1000).optional(),
  guidanceScale: number(0, 50).optional(),
  guidanceRescale: number(0, 1).optional(),
  seed: z.custom<number | bigint>(() => true).optional(), // checked by seedOf
  count: whole(1, 64).optional(),
  sampler: oneOf(samplers as readonly [Sampler, ...Sampler[]]).optional(),
  schedule: oneOf(schedules).optional(),
  spacing: oneOf(['leading', 'trailing', 'linspace']).optional(),
  prediction: oneOf(['epsilon', 'v', 'sample']).optional(),
  eta: number(0, 1).optional(),
  clipSkip: z.union([clipSkip, z.tuple([clipSkip, clipSkip])]).optional(),
  label: text(200).optional(),
  note: text(2000).optional(),
  metadata: flag().optional(),
  references: z.array(z.unknown()).optional(), // checked one by one
  signal: signalSchema.optional(),
  onProgress: func<(event: JobEvent) => void>().optional(),
} satisfies Record<keyof GenerateOptions, z.ZodType>;

const GENERATE: Names = {
  known: Object.keys(generateShape),
  later: [
    'init',
    'controls',
    'hires',
    'preview',
    'freeU',
    'faces',
    'loras',
    'size',
    'prompt2',
    'negativePrompt2',
    'zeroSnr',
    'noise',
    'rngDtype',
    'batchNoise',
  ],
};

const referenceShape = {
  adapter: z.unknown().optional(), // checked against what is attached
  image: z.unknown().optional(),
  images: z.unknown().optional(),
  face: z.unknown().optional(),
  scale: z.unknown().optional(), // checked against the model's blocks
  loraScale: number(0, 2).optional(),
  weights: z.array(number(0, 10)).optional(),
  structureScale: number(0, 2).optional(),
  pickFace: pickFaceSchema.optional(),
};

const REFERENCE: Names = {
  known: Object.keys(referenceShape),
  later: [
    'embedding',
    'mask',
    'maskMode',
    'weightType',
    'compositionImage',
    'compositionScale',
    'boost',
    'embedsScaling',
    'combine',
    'start',
    'end',
    'windowMode',
    'passes',
    'outliers',
    'weightMode',
    'renormalize',
    'negative',
    'uncond',
    'fit',
    'anchor',
    'clipMask',
    'onMissing',
  ],
};

const FACE: Names = { known: ['identity', 'crop'], later: [] };
/** What FaceAnalyzer.identity gives beside what a reference needs: accepted, not read. */
const FACE_FACTS = ['box', 'landmarks', 'score', 'size', 'normalized'];

/** A reference as the run needs it: pictures copied, numbers checked, defaults filled in. */
export interface ReferenceSettings {
  readonly option: string; // "references[0]", for messages
  readonly adapter: unknown; // a handle, a name, or undefined for the only one
  readonly images: readonly CapturedImage[];
  readonly face: { readonly identity: Float32Array; readonly crop: CapturedImage | undefined } | undefined;
  readonly scale: unknown;
  readonly loraScale: number | undefined;
  readonly weights: readonly number[] | undefined;
  readonly structureScale: number | undefined;
  readonly pickFace: PickFace | undefined;
}

/** The options of a run with every default filled in. */
export interface RunSettings {
  readonly prompt: string;
  readonly negativePrompt: string | undefined;
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
  readonly eta: number | undefined;
  readonly clipSkip: readonly [number, number];
  readonly label: string | undefined;
  readonly note: string | undefined;
  readonly metadata: boolean;
  readonly references: readonly ReferenceSettings[];
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((event: JobEvent) => void) | undefined;
}

/** What a model says about itself where the user says nothing. */
export interface ModelDefaults {
  readonly width: number;
  readonly height: number;
  readonly steps: number;
  readonly guidanceScale: number;
  readonly sampler: Sampler;
  /** Belongs to that sampler: another one by option starts from the model's own schedule. */
  readonly schedule: SigmaSchedule | undefined;
  readonly scale: number;
}

const drawSeed = (): bigint => BigInt(crypto.getRandomValues(new Uint32Array(1))[0]!);

const seedOf = (seed: unknown): bigint => {
  if (seed === undefined) return drawSeed();
  if (typeof seed === 'bigint' && seed >= 0n && seed <= MAX_SEED) return seed;
  if (typeof seed === 'number' && Number.isSafeInteger(seed) && seed >= 0) return BigInt(seed);
  throw expectedFor(
    'OPTION_RANGE',
    'seed',
    'a whole number from 0 to 2^53 - 1, or a BigInt to 2^64 - 1',
    seed,
    'Give seed such as 42, or leave it out to have one drawn',
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

const faceOf = (value: unknown, option: string): NonNullable<ReferenceSettings['face']> => {
  const raw = readOnce(value, option, { ...FACE, known: [...FACE.known, ...FACE_FACTS] });
  if (!(raw.identity instanceof Float32Array) || raw.identity.length === 0) {
    throw expectedFor(
      'OPTION_TYPE',
      `${option}.identity`,
      'a Float32Array of the recogniser',
      raw.identity,
      'Give the raw output of a face recogniser',
    );
  }
  const crop = raw.crop === undefined ? undefined : captureImage(raw.crop, `${option}.crop`);
  return { identity: Float32Array.from(raw.identity), crop };
};

const referenceOf = (value: unknown, index: number, defaults: ModelDefaults): ReferenceSettings => {
  const option = optionPath(['references', index]);
  const raw = readOnce(value, option, REFERENCE);
  raw.scale = readPlain(raw.scale, `${option}.scale`);
  raw.weights = readPlain(raw.weights, `${option}.weights`);
  const given = checked(z.object(referenceShape), raw, ['references', index]);
  const sources = ['image', 'images', 'face'].filter((name) => name in raw);
  if (sources.length !== 1) {
    throw new OptionError(
      'OPTION_CONFLICT',
      `${option} has ${sources.length === 0 ? 'no picture' : sources.join(' and ')}, expected exactly one of image, images and face`,
      'Give one of them',
      { details: { option, found: sources } },
    );
  }
  const list =
    'images' in raw ? readList(raw.images, `${option}.images`, MAX_IMAGES) : 'image' in raw ? [raw.image] : [];
  const images = list.map((image, i) =>
    captureImage(image, 'images' in raw ? `${option}.images[${i}]` : `${option}.image`),
  );
  const { loraScale, weights, structureScale, pickFace } = given;
  if (weights && weights.length !== images.length) {
    throw expectedFor('OPTION_RANGE', `${option}.weights`, `${images.length} numbers, one per image`, weights);
  }
  if (weights && !weights.some((weight) => weight > 0)) {
    throw expectedFor('OPTION_RANGE', `${option}.weights`, 'at least one number above 0', weights);
  }
  const face = 'face' in raw ? faceOf(raw.face, `${option}.face`) : undefined;
  const scale = raw.scale ?? defaults.scale;
  return { option, adapter: raw.adapter, images, face, scale, loraScale, weights, structureScale, pickFace };
};

/** Checks the options of a run and fills in the defaults; every buffer in them is copied before this returns. */
export const runSettings = (
  options: unknown,
  defaults: ModelDefaults,
  maxPromptChars: number = MAX_PROMPT_CHARS,
): RunSettings => {
  const raw = readOnce(options, '', GENERATE);
  raw.clipSkip = readPlain(raw.clipSkip, 'clipSkip');
  if (raw.references !== undefined) {
    const isEmpty = Array.isArray(raw.references) && raw.references.length === 0;
    raw.references = isEmpty ? [] : readList(raw.references, 'references', MAX_REFERENCES);
  }
  const given = checked(z.object(generateShape), raw, [], nearestSide);
  limitPrompt(given.prompt, 'prompt', maxPromptChars);
  limitPrompt(given.negativePrompt, 'negativePrompt', maxPromptChars);
  const first = seedOf(given.seed);
  const skip = given.clipSkip ?? DEFAULTS.clipSkip;
  const ownSampler = given.sampler === undefined || given.sampler === defaults.sampler;
  return {
    prompt: given.prompt,
    negativePrompt: given.negativePrompt,
    promptSyntax: given.promptSyntax ?? DEFAULTS.promptSyntax,
    width: given.width ?? defaults.width,
    height: given.height ?? defaults.height,
    steps: given.steps ?? defaults.steps,
    guidanceScale: given.guidanceScale ?? defaults.guidanceScale,
    guidanceRescale: given.guidanceRescale ?? DEFAULTS.guidanceRescale,
    seeds: Array.from({ length: given.count ?? DEFAULTS.count }, (_, i) => BigInt.asUintN(64, first + BigInt(i))),
    sampler: given.sampler ?? defaults.sampler,
    schedule: given.schedule ?? (ownSampler ? defaults.schedule : undefined),
    spacing: given.spacing,
    prediction: given.prediction,
    eta: given.eta,
    clipSkip: typeof skip === 'number' ? [skip, skip] : skip,
    label: given.label,
    note: given.note,
    metadata: given.metadata ?? DEFAULTS.metadata,
    references: (given.references ?? []).map((reference, i) => referenceOf(reference, i, defaults)),
    signal: given.signal,
    onProgress: given.onProgress,
  };
};
