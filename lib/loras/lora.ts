import type { LoraHandle } from '../native/types.js';

/** What an attached LoRA is. */
export interface LoraInfo {
  /** Layers of the UNet that it changes. */
  readonly modules: number;
  /** Layers of the text encoders that it changes. */
  readonly textModules: number;
  /** The largest of its factors; 0 for a file of whole differences. */
  readonly rank: number;
}

/** How strong a LoRA is in the UNet, and in the text encoders. */
export interface Strengths {
  readonly scale: number;
  readonly textScale: number;
}

const handles = new WeakMap<Lora, LoraHandle>();

/**
 * A LoRA attached to a pipeline: in effect in every run at its scale, unless the prompt names it with another.
 *
 * @example
 * const ink = await pipe.addLora('ink.safetensors', { name: 'ink', scale: 0.8 })
 * await pipe.generate({ prompt: 'portrait of a man <lora:ink:0.5>' })
 */
export class Lora {
  readonly name: string;
  /** Strength in the UNet, −2…2. */
  readonly scale: number;
  /** Strength in the text encoders, −2…2. */
  readonly textScale: number;
  readonly info: LoraInfo;
  readonly #detach: (lora: Lora) => Promise<void>;
  #ending: Promise<void> | undefined;

  /** Made by `addLora`; not called by users. */
  constructor(
    name: string,
    { scale, textScale }: Strengths,
    handle: LoraHandle,
    detach: (lora: Lora) => Promise<void>,
  ) {
    const { modules, textModules, rank } = handle.info;
    this.name = name;
    this.scale = scale;
    this.textScale = textScale;
    this.info = { modules, textModules, rank };
    this.#detach = detach;
    handles.set(this, handle);
  }

  /** True after `dispose`. */
  get disposed(): boolean {
    return this.#ending !== undefined;
  }

  /** Detaches the LoRA once earlier runs are done, and restores the model's weights byte for byte. */
  dispose(): Promise<void> {
    this.#ending ??= this.#detach(this);
    return this.#ending;
  }

  /** As `dispose`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

/** The addon's handle of an attached LoRA. */
export const loraHandle = (lora: Lora): LoraHandle => handles.get(lora)!;
