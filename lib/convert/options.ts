import { readList } from '../options/check.js';
import { readOptions } from '../options/read.js';
import { defaultOf } from '../options/row.js';
import { func } from '../options/schemas.js';
import { CONVERT, MERGE_LORA } from '../options/table/convert.js';

/** Progress of a model that is written. */
export interface ConvertEvent {
  readonly type: 'convert';
  readonly bytes: number;
  readonly totalBytes: number;
}

/**
 * How a model is written to files.
 *
 * @example
 * await convert('sd15.ckpt', 'sd15', { dtype: 'f32', overwrite: true })
 */
export interface ConvertOptions {
  /** What numbers are rounded to, once. Default f16; a number that it cannot hold is an error with the tensor's name. */
  readonly dtype?: 'f16' | 'bf16' | 'f32';
  /** Replace a file, or a folder that holds a model. Default false. */
  readonly overwrite?: boolean;
  /** Write weights with NaN or infinity in them. Default false. */
  readonly allowNonFinite?: boolean;
  readonly onProgress?: (event: ConvertEvent) => void;
  /** Cancels it; the target stays as it was. */
  readonly signal?: AbortSignal;
}

/**
 * A LoRA that is merged into a file.
 *
 * @example
 * await merge('sd15', [{ file: 'ink.safetensors', scale: 0.8, textScale: 0 }], 'sd15-ink')
 */
export interface MergeLora {
  readonly file: string;
  /** Strength in the UNet, −2…2. Default 1. */
  readonly scale?: number;
  /** Strength in the text encoders, −2…2. Default: as scale. */
  readonly textScale?: number;
}

/** What was written. */
export interface ConvertResult {
  readonly path: string;
  /** Of the tensors. */
  readonly bytes: number;
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
}

export interface ConvertSettings {
  readonly dtype: 'f16' | 'bf16' | 'f32';
  readonly overwrite: boolean;
  readonly allowNonFinite: boolean;
  readonly onProgress: ((event: ConvertEvent) => void) | undefined;
  readonly signal: AbortSignal | undefined;
}

export const convertSettings = (options: unknown = {}): ConvertSettings => {
  const given = readOptions(CONVERT, options, { onProgress: func<(event: ConvertEvent) => void>() });
  return {
    dtype: given.dtype ?? defaultOf(CONVERT, 'dtype'),
    overwrite: given.overwrite ?? defaultOf(CONVERT, 'overwrite'),
    allowNonFinite: given.allowNonFinite ?? defaultOf(CONVERT, 'allowNonFinite'),
    onProgress: given.onProgress,
    signal: given.signal,
  };
};

const MAX_LORAS = 100;

/** The LoRAs of `merge`: files, or files with strengths. */
export const mergeLoras = (list: unknown): readonly { file: string; scale: number; textScale: number }[] =>
  readList(list, 'loras', MAX_LORAS).map((entry, i) => {
    const given = readOptions(MERGE_LORA, typeof entry === 'string' ? { file: entry } : entry, {}, ['loras', i]);
    const scale = given.scale ?? defaultOf(MERGE_LORA, 'scale');
    return { file: given.file, scale, textScale: given.textScale ?? scale };
  });
