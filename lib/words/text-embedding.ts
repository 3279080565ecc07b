import type { PromptWord } from '../prompt/index.js';

/** What a text embedding is. */
export interface TextEmbeddingInfo {
  /** How many tokens its word takes. */
  readonly vectors: number;
  /** Numbers of a vector, for each text encoder. */
  readonly widths: readonly number[];
  /** Text encoders that it has vectors for: 1, of SDXL 2. */
  readonly encoders: number;
  /** Of its file. */
  readonly sha256: string;
}

/**
 * A text embedding attached to a pipeline: prompts name it as a word, those of the syntax `comfyui` as `embedding:name`, those of
 * `plain` never.
 *
 * @example
 * const cat = await pipe.addTextEmbedding('my-cat.pt', { token: 'my-cat' })
 * await pipe.generate({ prompt: 'a photo of (my-cat:1.2) on a roof' })
 */
export class TextEmbedding {
  readonly name: string;
  readonly info: TextEmbeddingInfo;
  readonly #detach: (embedding: TextEmbedding) => Promise<void>;
  #ending: Promise<void> | undefined;

  /** Made by `addTextEmbedding`; not called by users. */
  constructor({ name, count, towers, sha256 }: PromptWord, detach: (embedding: TextEmbedding) => Promise<void>) {
    const widths = towers.map((numbers) => numbers.length / count);
    this.name = name;
    this.info = { vectors: count, widths, encoders: towers.length, sha256 };
    this.#detach = detach;
  }

  /** True after `dispose`. */
  get disposed(): boolean {
    return this.#ending !== undefined;
  }

  /** Takes the word out of later prompts; done when earlier runs are. */
  dispose(): Promise<void> {
    this.#ending ??= this.#detach(this);
    return this.#ending;
  }

  /** As `dispose`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
