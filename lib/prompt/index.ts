export { type Chunk, chunksOf, emptyChunk } from './chunks.js';
export type { LoraUse } from './directives.js';
export {
  MAX_PROMPT_CHARS,
  type PromptSyntax,
  promptSyntaxes,
  type Reading,
  syntaxOf,
  type Windows,
  wordingOf,
} from './syntaxes.js';
export { type ClipTokenizer, loadTokenizer, publicTokenizer, publicTokenizerFiles } from './tokenizer.js';
export type { Fragment } from './weighting.js';
export { type Part, paired, type Text, type Wording } from './wording.js';
export { type PromptWord, sameWord } from './words.js';
