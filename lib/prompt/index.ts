import { OptionError } from '../errors.js';
import { checkRest, type LoraUse, loraUses, withoutDirectives } from './directives.js';
import { type Fragment, weighted } from './weighting.js';

export { type Chunk, chunksOf, emptyChunk, equalized } from './chunks.js';
export type { LoraUse } from './directives.js';
export { type ClipTokenizer, loadTokenizer, publicTokenizer } from './tokenizer.js';
export type { Fragment } from './weighting.js';
export { type PromptWord, sameWord } from './words.js';

/** `a1111`: emphasis, BREAK, `<lora:name:w>`, names of text embeddings; `plain`: the text as it stands. */
export type PromptSyntax = 'a1111' | 'plain';
export const promptSyntaxes = ['a1111', 'plain'] as const satisfies readonly PromptSyntax[];

/** Longest prompt, in UTF-16 units. */
export const MAX_PROMPT_CHARS = 100_000;

export interface ParsedPrompt {
  readonly fragments: readonly Fragment[];
  readonly loras: readonly LoraUse[];
}

/**
 * A prompt without its syntax: pieces with weights, and the LoRAs it asks for among the `attached` names.
 *
 * @example
 * parsePrompt('a (red:1.2) hat <lora:ink:0.8>', 'a1111', ['ink'])
 */
export const parsePrompt = (prompt: string, syntax: PromptSyntax, attached: readonly string[] = []): ParsedPrompt => {
  if (prompt.length > MAX_PROMPT_CHARS) {
    throw new OptionError(
      'PROMPT_TOO_LONG',
      `The prompt has ${prompt.length} characters, at most ${MAX_PROMPT_CHARS} are allowed`,
      'Shorten the prompt',
      { details: { option: 'prompt', found: prompt.length, expected: MAX_PROMPT_CHARS } },
    );
  }
  if (syntax === 'plain') return { fragments: [{ text: prompt, weight: 1 }], loras: [] };
  const { text, found } = withoutDirectives(prompt);
  checkRest(text);
  return { fragments: weighted(text), loras: loraUses(found, attached) };
};
