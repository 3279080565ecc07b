import { z } from 'zod';
import { optionPath } from '../options/check.js';
import { readOptions } from '../options/read.js';
import { defaultOf } from '../options/row.js';
import { LORA, RUN_LORA } from '../options/table/attach.js';
import type { Lora, Strengths } from './lora.js';

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
  /** Strength in the text encoders, −2…2. Default: as scale; `<lora:name:te:unet>` sets both for one run. */
  readonly textScale?: number;
  readonly signal?: AbortSignal;
}

export interface LoraSettings extends Strengths {
  readonly name: string | undefined;
  readonly signal: AbortSignal | undefined;
}

export const loraSettings = (options: unknown = {}): LoraSettings => {
  const given = readOptions(LORA, options, {});
  const scale = given.scale ?? defaultOf(LORA, 'scale');
  return { name: given.name, scale, textScale: given.textScale ?? scale, signal: given.signal };
};

/**
 * One of the LoRAs of a run.
 *
 * @example
 * await pipe.generate({ prompt: 'a harbour', loras: [{ lora: 'ink', scale: 0.5, textScale: 0 }] })
 */
export interface RunLora {
  /** Handle or name of an attached LoRA, or a name of a FaceID adapter's own: its scale is then the adapter's `loraScale`. */
  readonly lora: Lora | string;
  /** −2…2. Default: as attached. */
  readonly scale?: number;
  /** Strength in the text encoders, −2…2. Default: as scale, without it as attached. */
  readonly textScale?: number;
}

export interface RunLoraSettings {
  readonly option: string; // "loras[0]", for messages
  readonly lora: unknown; // a handle or a name
  readonly scale: number | undefined;
  readonly textScale: number | undefined;
}

/** Checks one entry of a run's list. */
export const runLoraOf = (value: unknown, index: number): RunLoraSettings => {
  const place = ['loras', index];
  const { lora, scale, textScale } = readOptions(RUN_LORA, value, { lora: z.unknown() }, place);
  return { option: optionPath(place), lora, scale, textScale };
};
