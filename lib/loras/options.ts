import { z } from 'zod';
import { checked, type Names, readOnce } from '../options/check.js';
import { name, real, signalSchema } from '../options/schemas.js';

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

const loraShape = { name, scale: real(-2, 2).optional(), signal: signalSchema.optional() } satisfies Record<
  keyof AddLoraOptions,
  z.ZodType
>;
const LORA: Names = { known: Object.keys(loraShape), later: ['textScale'] };

export interface LoraSettings {
  readonly name: string | undefined;
  readonly scale: number;
  readonly signal: AbortSignal | undefined;
}

export const loraSettings = (options: unknown = {}): LoraSettings => {
  const given = checked(z.object(loraShape), readOnce(options, '', LORA));
  return { name: given.name, scale: given.scale ?? 1, signal: given.signal };
};
