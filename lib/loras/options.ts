import { readOptions } from '../options/read.js';
import { defaultOf } from '../options/row.js';
import { LORA } from '../options/table/attach.js';

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

export interface LoraSettings {
  readonly name: string | undefined;
  readonly scale: number;
  readonly signal: AbortSignal | undefined;
}

export const loraSettings = (options: unknown = {}): LoraSettings => {
  const given = readOptions(LORA, options, {});
  return { name: given.name, scale: given.scale ?? defaultOf(LORA, 'scale'), signal: given.signal };
};
