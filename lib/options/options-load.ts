import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { DeviceError, OptionError, quoted } from '../errors.js';
import type { FaceAnalyzer } from '../faces/face.js';
import type { Dtype } from '../native/native.js';
import { MAX_PROMPT_CHARS } from '../prompt/index.js';
import { checked, expectedFor, type Names, readOnce } from './check.js';
import { DEFAULTS, signalSchema } from './options.js';

/** Takes log lines, in the shape of pino: an object of facts, then a sentence. */
export interface Logger {
  debug?(facts: object, message: string): void;
  info?(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error?(facts: object, message: string): void;
}

/** Progress of a load: bytes of the part that is being read. */
export interface LoadEvent {
  readonly type: 'load';
  readonly part: string;
  readonly bytes: number;
  readonly totalBytes: number;
}

/**
 * How a model is loaded.
 *
 * @example
 * const options: LoadOptions = { device: 'cpu', threads: 4 }
 */
export interface LoadOptions {
  /** Default `auto`; this version has the CPU. `IPA_DEVICE` sets it from outside. */
  readonly device?: 'auto' | 'cpu';
  /**
   * What UNet, VAE decoder and CLIP encoders multiply with; sums are f32 always. Default `auto`: bf16 on a CPU that is
   * faster with it (AMX, or AVX-512 BF16 of AMD), f32 elsewhere. `f32` works everywhere and draws the same on all.
   */
  readonly dtype?: Dtype;
  /** 1…256. Default: the cores that this process may use. `IPA_THREADS` sets it from outside. */
  readonly threads?: number;
  /** Runs that may wait, 1…10,000. Default 64. */
  readonly maxQueue?: number;
  /** Longest prompt, 1…100,000 UTF-16 units. Default 100,000. */
  readonly maxPromptChars?: number;
  /** Pictures that come in: the colour behind transparent ones (default white), and the most pixels (default 8192 × 4096). */
  readonly images?: { readonly background?: string; readonly maxPixels?: number };
  /** Some warnings become errors. Default false. */
  readonly strict?: boolean;
  /** Load weights with NaN or infinity in them. Default false. */
  readonly allowNonFinite?: boolean;
  readonly logger?: Logger;
  readonly onProgress?: (event: LoadEvent) => void;
  readonly signal?: AbortSignal;
}

/** Files of a face detector and a face recogniser (ONNX). */
export interface FaceFiles {
  readonly detector: string;
  readonly recognizer: string;
  /** Side of the detector's canvas, a multiple of 32. Default `auto`: the family's own, else 640 and then smaller ones. */
  readonly detSize?: 'auto' | number;
  /** Lowest score of a face, 0…1. Default 0.5. */
  readonly detThreshold?: number;
}

/**
 * How an adapter is attached.
 *
 * @example
 * await pipe.addAdapter('ip-adapter-plus_sd15.safetensors', { encoder: 'image_encoder', name: 'plus' })
 */
export interface AddAdapterOptions {
  /** Folder or file of the CLIP image encoder. Default: looked for beside the adapter and in the model's folder. */
  readonly encoder?: string;
  /** Face networks, for the FaceID variants. */
  readonly face?: FaceFiles | FaceAnalyzer;
  /** Default: the file's name without its ending. */
  readonly name?: string;
  /** Strength of the LoRA inside a FaceID adapter, 0…2. Default 1. */
  readonly loraScale?: number;
  /** FaceID Plus: v1 and v2 have the same tensors. Default: known by the file's hash, else v2 with a warning. */
  readonly version?: 'v1' | 'v2';
  /** Side of the face's picture for FaceID Plus in px, a multiple of 112 or 128 up to 1024. Default 224. */
  readonly faceCrop?: number;
  readonly signal?: AbortSignal;
}

/**
 * How a LoRA is attached.
 *
 * @example
 * await pipe.addLora('ink.safetensors', { name: 'ink', scale: 0.8 })
 */
export interface AddLoraOptions {
  /** Default: the file's name without its ending. */
  readonly name?: string;
  /** −2…2. Default 1; `<lora:name:w>` in a prompt sets it for one run. */
  readonly scale?: number;
  readonly signal?: AbortSignal;
}

const between = (base: z.ZodNumber, least: number, most: number, what: string) => {
  const expected = `${what} from ${least} to ${most}`;
  return base.min(least, expected).max(most, expected);
};
const whole = (least: number, most: number) =>
  between(z.int(`a whole number from ${least} to ${most}`) as unknown as z.ZodNumber, least, most, 'a whole number');
const real = (least: number, most: number) =>
  between(z.number(`a number from ${least} to ${most}`), least, most, 'a number');
const path = z.string('a path').min(1, 'a path');
const name = z
  .string('a name')
  .min(1, 'a name of 1 to 100 characters')
  .max(100, 'a name of 1 to 100 characters')
  .optional();
const func = <F>() => z.custom<F>((value) => typeof value === 'function', 'a function').optional();
const flag = z.boolean('true or false').optional();

const loadShape = {
  device: z.string('a device').optional(),
  dtype: z.string('a precision').optional(),
  threads: whole(1, 256).optional(),
  maxQueue: whole(1, 10_000).optional(),
  maxPromptChars: whole(1, MAX_PROMPT_CHARS).optional(),
  images: z.unknown().optional(),
  strict: flag,
  allowNonFinite: flag,
  logger: z
    .custom<Logger>(
      (value) => typeof value === 'object' && value !== null && typeof (value as Logger).warn === 'function',
      'a logger with the methods warn, info …',
    )
    .optional(),
  onProgress: func<(event: LoadEvent) => void>(),
  signal: signalSchema.optional(),
} satisfies Record<keyof LoadOptions, z.ZodType>;
const LOAD: Names = { known: Object.keys(loadShape), later: ['vae', 'memory', 'sha256'] };

const imagesShape = {
  background: z
    .string('a colour such as "#ffffff"')
    .regex(/^#[0-9a-f]{6}$/i, 'a colour such as "#ffffff"')
    .optional(),
  maxPixels: whole(256, 2 ** 31 - 1).optional(),
};
const IMAGES: Names = { known: Object.keys(imagesShape), later: ['formats'] };

const adapterShape = {
  encoder: path.optional(),
  face: z.unknown().optional(),
  name,
  loraScale: real(0, 2).optional(),
  version: z.enum(['v1', 'v2'], 'one of v1, v2').optional(),
  faceCrop: whole(112, 1024).optional(),
  signal: signalSchema.optional(),
} satisfies Record<keyof AddAdapterOptions, z.ZodType>;
const ADAPTER: Names = { known: Object.keys(adapterShape), later: ['lora', 'cropFace', 'preset', 'sha256'] };

const loraShape = { name, scale: real(-2, 2).optional(), signal: signalSchema.optional() } satisfies Record<
  keyof AddLoraOptions,
  z.ZodType
>;
const LORA: Names = { known: Object.keys(loraShape), later: ['textScale'] };

const faceShape = {
  detector: path,
  recognizer: path,
  detSize: z.unknown().optional(),
  detThreshold: real(0, 1).optional(),
};
const FACE: Names = { known: Object.keys(faceShape), later: ['pickFace', 'warpFilter', 'maxNum'] };

/** How pictures are read. */
export interface ImageLimits {
  readonly background: string;
  readonly maxPixels: number;
}

export const imageLimits: ImageLimits = { background: DEFAULTS.background, maxPixels: DEFAULTS.maxPixels };

/** Load options with every default filled in. */
export interface LoadSettings {
  readonly device: 'cpu';
  readonly dtype: Dtype;
  readonly threads: number;
  readonly maxQueue: number;
  readonly maxPromptChars: number;
  readonly images: ImageLimits;
  readonly strict: boolean;
  readonly allowNonFinite: boolean;
  readonly logger: Logger | undefined;
  readonly onProgress: ((event: LoadEvent) => void) | undefined;
  readonly signal: AbortSignal | undefined;
}

const deviceOf = (device: string): 'cpu' => {
  if (device === 'auto' || device === 'cpu') return 'cpu';
  throw new DeviceError(
    'DEVICE_UNSUPPORTED',
    `The device ${quoted(device)} is not in this version`,
    'Use device "cpu" or "auto"',
    { details: { option: 'device', found: device, expected: ['auto', 'cpu'] } },
  );
};

const dtypeOf = (dtype: string): Dtype => {
  if (dtype === 'auto' || dtype === 'f32' || dtype === 'bf16') return dtype;
  const why = dtype === 'f16' ? 'is not in this version' : 'is unknown';
  throw new OptionError('OPTION_UNKNOWN', `The dtype ${quoted(dtype)} ${why}`, 'Use dtype "auto", "f32" or "bf16"', {
    details: { option: 'dtype', found: dtype },
  });
};

const threadsOf = (given: number | undefined): number => {
  if (given !== undefined) return given;
  const named = process.env.IPA_THREADS;
  if (named === undefined || named === '') return availableParallelism();
  return checked(whole(1, 256), /^\d+$/.test(named) ? Number(named) : named, ['IPA_THREADS']);
};

export const loadSettings = (options: unknown = {}): LoadSettings => {
  const given = checked(z.object(loadShape), readOnce(options, '', LOAD));
  const images =
    given.images === undefined
      ? {}
      : checked(z.object(imagesShape), readOnce(given.images, 'images', IMAGES), ['images']);
  return {
    device: deviceOf(given.device ?? (process.env.IPA_DEVICE || 'auto')),
    dtype: dtypeOf(given.dtype ?? 'auto'),
    threads: threadsOf(given.threads),
    maxQueue: given.maxQueue ?? DEFAULTS.maxQueue,
    maxPromptChars: given.maxPromptChars ?? MAX_PROMPT_CHARS,
    images: { ...imageLimits, ...images },
    strict: given.strict ?? false,
    allowNonFinite: given.allowNonFinite ?? false,
    logger: given.logger,
    onProgress: given.onProgress,
    signal: given.signal,
  };
};

export interface FaceSettings {
  readonly detector: string;
  readonly recognizer: string;
  readonly detSize: 'auto' | number;
  readonly detThreshold: number;
}

const detSizeOf = (given: unknown, option: string): 'auto' | number => {
  if (given === undefined || given === 'auto') return 'auto';
  const legal =
    typeof given === 'number' && Number.isInteger(given) && given >= 32 && given <= 4096 && given % 32 === 0;
  if (legal) return given;
  throw expectedFor(
    typeof given === 'number' ? 'OPTION_RANGE' : 'OPTION_TYPE',
    option,
    '"auto" or a multiple of 32 from 32 to 4096',
    given,
  );
};

export const faceSettings = (options: unknown, where = ''): FaceSettings => {
  const given = checked(z.object(faceShape), readOnce(options, where, FACE), where === '' ? [] : [where]);
  return {
    detector: given.detector,
    recognizer: given.recognizer,
    detSize: detSizeOf(given.detSize, where === '' ? 'detSize' : `${where}.detSize`),
    detThreshold: given.detThreshold ?? 0.5,
  };
};

export interface AdapterSettings {
  readonly encoder: string | undefined;
  readonly face: unknown; // FaceFiles or a FaceAnalyzer
  readonly name: string | undefined;
  readonly loraScale: number;
  readonly version: 'v1' | 'v2' | undefined;
  readonly faceCrop: number;
  readonly signal: AbortSignal | undefined;
}

export const adapterSettings = (options: unknown = {}): AdapterSettings => {
  const given = checked(z.object(adapterShape), readOnce(options, '', ADAPTER));
  const faceCrop = given.faceCrop ?? DEFAULTS.faceCrop;
  if (faceCrop % 112 !== 0 && faceCrop % 128 !== 0) {
    throw expectedFor(
      'OPTION_RANGE',
      'faceCrop',
      'a multiple of 112 or 128 from 112 to 1024',
      faceCrop,
      'Give faceCrop 224',
    );
  }
  return {
    encoder: given.encoder,
    face: given.face,
    name: given.name,
    loraScale: given.loraScale ?? DEFAULTS.loraScale,
    version: given.version,
    faceCrop,
    signal: given.signal,
  };
};

export interface LoraSettings {
  readonly name: string | undefined;
  readonly scale: number;
  readonly signal: AbortSignal | undefined;
}

export const loraSettings = (options: unknown = {}): LoraSettings => {
  const given = checked(z.object(loraShape), readOnce(options, '', LORA));
  return { name: given.name, scale: given.scale ?? 1, signal: given.signal };
};

/** A path given by the caller: text, or a `file:` URL. */
export const pathOf = (value: unknown, option: string): string => {
  if (typeof value === 'string' && value !== '') return value;
  throw expectedFor('OPTION_TYPE', option, 'a path', value, `Give ${option} as text`);
};
