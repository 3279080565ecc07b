import { z } from 'zod';
import type { MemorySpec, Offload, VaeTiling } from '../native/types.js';
import { readOptions } from '../options/read.js';
import { defaultOf } from '../options/row.js';
import { MEMORY } from '../options/table/load.js';

/**
 * How much memory networks may take.
 *
 * @example
 * const pipe = await Pipeline.load(path, { device: 'cuda', memory: { budget: '6GB' } })
 */
export interface MemoryOptions {
  /**
   * Bytes for weights and the values of a run, or a size such as `10GB` or `512 MiB`. Default: what is free on the card; on the
   * CPU no limit. A model or a picture that never fits is refused with `MEMORY_BUDGET`, before a weight is read. On a card networks that wait make room, and
   * weights of a UNet that is too large come from the host in every step: `pipe.info.streaming` says what that takes. A
   * picture that is too large to be decoded at once is decoded in bands, without seams.
   */
  readonly budget?: number | string;
  /**
   * When networks that wait leave memory: for the host's from a card, on a CPU to be read of their files again. Default
   * `auto`: as the budget needs it, and on a card as soon as their work in a run is done where that is little lost. `always`: as
   * soon as another stage of a run begins, so that only the largest stage counts (`pipe.info.need`); loading again costs
   * seconds per picture. `never`: all stay. The pictures are the same, byte for byte.
   */
  readonly offload?: Offload;
  /**
   * Whether the VAE runs tile by tile, of 64 × 64 latents. `always` takes the least memory; tiles overlap and are blended, so
   * pictures beyond one tile differ a little from those made whole. `never`: what does not fit is `MEMORY_BUDGET`. Default `auto`:
   * whole, or where that does not fit in bands, without seams.
   */
  readonly vaeTiling?: VaeTiling;
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
};
const SIZE = /^\s*(\d+(?:\.\d+)?)\s*([KMGT]I?B|B?)\s*$/i;

/** Bytes of a size such as `10GB` or `512 MiB`, or undefined. */
export const bytesOf = (size: string): number | undefined => {
  const [, digits, unit] = SIZE.exec(size) ?? [];
  if (digits === undefined || unit === undefined) return undefined;
  return Math.round(Number(digits) * UNITS[unit.toUpperCase() === 'B' ? '' : unit.toUpperCase()]!);
};

const LEAST = 2 ** 20; // bytes: less is a slip, GB left out
const text = MEMORY.rows.budget.expects;
const own = {
  budget: z
    .union([z.number(text), z.string(text)], text)
    .transform((size) => (typeof size === 'number' ? size : (bytesOf(size) ?? Number.NaN)))
    .refine((bytes) => Number.isSafeInteger(bytes) && bytes >= LEAST, `${text}, at least 1 MiB`),
};

/** The option `memory`, checked: the budget in bytes. */
export const memoryOf = (value: unknown = {}): MemorySpec => {
  const { budget, offload } = readOptions(MEMORY, value, own, ['memory']);
  return { budget, offload: offload ?? defaultOf(MEMORY, 'offload') };
};

/** Of the same, whether the VAE runs in tiles. */
export const vaeTilingOf = (value: unknown = {}): VaeTiling =>
  readOptions(MEMORY, value, own, ['memory']).vaeTiling ?? defaultOf(MEMORY, 'vaeTiling');
