import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { type ImageLimits, type ImageOptions, imageLimitsOf } from '../images/limits.js';
import type { DeviceName } from '../native/choose-device.js';
import type { Dtype, MemorySpec, VaeTiling } from '../native/types.js';
import { checked } from '../options/check.js';
import { schemaOf } from '../options/kinds.js';
import { readOptions } from '../options/read.js';
import { defaultOf } from '../options/row.js';
import { func } from '../options/schemas.js';
import { LOAD } from '../options/table/load.js';
import type { SigmaSchedule } from '../schedulers/config.js';
import type { Sampler } from '../schedulers/index.js';
import type { Logger } from '../warnings.js';
import { deviceOf } from './device-name.js';
import { type ModelHashes, modelHashes } from './expected-hashes.js';
import { type MemoryOptions, memoryOf, vaeTilingOf } from './memory.js';

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
  /**
   * Default `auto`: the first NVIDIA card that can be used where the CUDA library is installed, else the CPU; a warning
   * says why an installed library is of no use. `cuda` or `cuda:1` asks for a card and fails without it; `emulated` is for
   * this project's own tests. `IPA_DEVICE` sets it from outside.
   */
  readonly device?: DeviceName;
  /**
   * What UNet, VAE decoder and CLIP encoders multiply with; sums are f32 always. Default `auto`: f16 on a card, bf16 on a
   * CPU that is faster with it (AMX, or AVX-512 BF16 of AMD), f32 elsewhere. `f32` works everywhere and draws the same on
   * all CPUs; `f16` is for cards.
   */
  readonly dtype?: Dtype;
  /** 1…256. Default: the cores that this process may use. `IPA_THREADS` sets it from outside. */
  readonly threads?: number;
  /** Runs that may wait, 1…10,000. Default 64. */
  readonly maxQueue?: number;
  /** Longest prompt, 1…100,000 UTF-16 units. Default 100,000. */
  readonly maxPromptChars?: number;
  /** How much memory networks may take. */
  readonly memory?: MemoryOptions;
  /** How pictures that come in are read. */
  readonly images?: ImageOptions;
  /**
   * File or folder of another VAE, in the names of diffusers or of a checkpoint file; or of a tiny autoencoder (TAESD, TAESDXL),
   * which decodes in a fraction of the time, less finely. Default: the model's own.
   */
  readonly vae?: string;
  /**
   * SHA-256 that the model must have, 64 hexadecimal digits: of a single file its own, of a folder an object with those of
   * `unet`, `vae`, `text_encoder`, `text_encoder_2` that are to be checked (`vae` of the option's file, where there is one).
   * Another content is `MODEL_HASH_MISMATCH`, before a tensor is read.
   */
  readonly sha256?: ModelHashes;
  /**
   * The same of what decodes the pictures of `preview` alone; a tiny autoencoder does so in little time. Default: the model's own.
   */
  readonly previewVae?: string;
  /** Some warnings become errors. Default false. */
  readonly strict?: boolean;
  /** Load weights with NaN or infinity in them. Default false. */
  readonly allowNonFinite?: boolean;
  readonly logger?: Logger;
  readonly onProgress?: (event: LoadEvent) => void;
  readonly signal?: AbortSignal;
}

const own = {
  device: z.string(LOAD.rows.device.expects),
  memory: z.unknown(),
  sha256: modelHashes,
  images: z.unknown(),
  logger: z.custom<Logger>(
    (value) => typeof value === 'object' && value !== null && typeof (value as Logger).warn === 'function',
    LOAD.rows.logger.expects,
  ),
  onProgress: func<(event: LoadEvent) => void>(),
};

/** Load options with every default filled in. */
export interface LoadSettings {
  readonly device: DeviceName;
  readonly dtype: Dtype;
  readonly threads: number;
  readonly maxQueue: number;
  readonly maxPromptChars: number;
  readonly memory: MemorySpec;
  readonly images: ImageLimits;
  readonly vae: string | undefined;
  readonly sha256: ModelHashes | undefined;
  readonly previewVae: string | undefined;
  readonly vaeTiling: VaeTiling;
  readonly strict: boolean;
  readonly allowNonFinite: boolean;
  readonly logger: Logger | undefined;
  readonly onProgress: ((event: LoadEvent) => void) | undefined;
  readonly signal: AbortSignal | undefined;
}

const threadsOf = (given: number | undefined): number => {
  if (given !== undefined) return given;
  const named = process.env.IPA_THREADS;
  if (named === undefined || named === '') return availableParallelism();
  return checked(schemaOf(LOAD.rows.threads) as z.ZodType<number>, /^\d+$/.test(named) ? Number(named) : named, [
    'IPA_THREADS',
  ]);
};

export const loadSettings = (options: unknown = {}): LoadSettings => {
  const given = readOptions(LOAD, options, own);
  return {
    device: deviceOf(given.device, defaultOf(LOAD, 'device')),
    dtype: given.dtype ?? defaultOf(LOAD, 'dtype'),
    threads: threadsOf(given.threads),
    maxQueue: given.maxQueue ?? defaultOf(LOAD, 'maxQueue'),
    maxPromptChars: given.maxPromptChars ?? defaultOf(LOAD, 'maxPromptChars'),
    memory: memoryOf(given.memory),
    vaeTiling: vaeTilingOf(given.memory),
    images: imageLimitsOf(given.images),
    vae: given.vae,
    previewVae: given.previewVae,
    sha256: given.sha256,
    strict: given.strict ?? defaultOf(LOAD, 'strict'),
    allowNonFinite: given.allowNonFinite ?? defaultOf(LOAD, 'allowNonFinite'),
    logger: given.logger,
    onProgress: given.onProgress,
    signal: given.signal,
  };
};

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
