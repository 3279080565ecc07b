import { readOptions } from '../options/read.js';
import { TEXT_EMBEDDING } from '../options/table/attach.js';

/**
 * How a text embedding is attached.
 *
 * @example
 * await pipe.addTextEmbedding('learned_embeds.safetensors', { token: 'my-cat' })
 */
export interface AddTextEmbeddingOptions {
  /** The word of prompts that stands for its vectors. Default: what the file says, else the file's name without its ending. */
  readonly token?: string;
  readonly signal?: AbortSignal;
}

export interface TextEmbeddingSettings {
  readonly token: string | undefined;
  readonly signal: AbortSignal | undefined;
}

export const textEmbeddingSettings = (options: unknown = {}): TextEmbeddingSettings => {
  const { token, signal } = readOptions(TEXT_EMBEDDING, options, {});
  return { token, signal };
};
