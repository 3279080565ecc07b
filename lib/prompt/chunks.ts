import type { ClipTokenizer } from './tokenizer.js';
import { BREAK, type Fragment } from './weighting.js';
import { type PromptWord, piecesWith } from './words.js';

/** One window of a text encoder: start, content, end and padding. */
export interface Chunk {
  /** [maxLength] */
  readonly ids: readonly number[];
  /** [maxLength], 1 at start, end and padding */
  readonly weights: readonly number[];
  readonly words: readonly PlacedWord[];
}

/** A word that stands for vectors, or the part of one that lies in a window; the ids there say nothing. */
export interface PlacedWord {
  readonly word: PromptWord;
  /** The place of its first vector there. */
  readonly at: number;
  /** Which of its vectors that is, and how many follow one another. */
  readonly first: number;
  readonly count: number;
}

/** How many tokens before a full chunk's end a comma may lie to end the chunk there. source: A1111 comma_padding_backtrack */
const COMMA_BACKTRACK = 20;

export interface Token {
  readonly id: number;
  readonly weight: number;
  /** The word of which a vector stands here, and which. */
  readonly word?: PromptWord;
  readonly vector?: number;
}

/** What a word takes: one place for each of its vectors. */
export const tokensOf = (word: PromptWord, weight: number): Token[] =>
  Array.from({ length: word.count }, (_, vector) => ({ id: 0, weight, word, vector }));

/** Words among tokens, run by run: a window may begin or end inside of one. */
const wordsIn = (content: readonly Token[]): PlacedWord[] => {
  const runs: { word: PromptWord; at: number; first: number; count: number }[] = [];
  for (const [i, { word, vector }] of content.entries()) {
    const last = runs.at(-1);
    if (word === undefined || vector === undefined) continue;
    const isNext = last?.word === word && last.at + last.count === i + 1 && last.first + last.count === vector;
    if (isNext) last.count += 1;
    else runs.push({ word, at: i + 1, first: vector, count: 1 });
  }
  return runs;
};

/** One window with this content, at most two tokens fewer than it holds. */
export const chunkOf = (tokenizer: ClipTokenizer, content: readonly Token[]): Chunk => {
  const { bos, eos, pad, maxLength } = tokenizer;
  const ids = [bos, ...content.map((token) => token.id), eos];
  while (ids.length < maxLength) ids.push(pad);
  // An end token written in the prompt ends the text there; only where padding is another token does that show
  const end = ids.indexOf(eos);
  const weights = [1, ...content.map((token) => token.weight)];
  while (weights.length < maxLength) weights.push(1);
  return { ids: pad === eos ? ids : ids.map((id, i) => (i > end ? pad : id)), weights, words: wordsIn(content) };
};

/** The window of an empty prompt. */
export const emptyChunk = (tokenizer: ClipTokenizer): Chunk => chunkOf(tokenizer, []);

/**
 * Cuts a prompt into windows by the rules of the AUTOMATIC1111 web UI: filled to 75 tokens; where that would cut after a
 * comma of the last 20 tokens, what follows the comma moves on; BREAK ends a window. Fragments are tokenized one by one.
 * One of the `words` whose vectors have no room left in a window begins the next one.
 */
export const chunksOf = (
  tokenizer: ClipTokenizer,
  fragments: readonly Fragment[],
  words: readonly PromptWord[] = [],
): Chunk[] => {
  const pieces = piecesWith(tokenizer, words);
  const size = tokenizer.maxLength - 2;
  const chunks: Chunk[] = [];
  let content: Token[] = [];
  let comma = -1; // place of the last comma in `content`
  const close = (upTo: number): void => {
    chunks.push(chunkOf(tokenizer, content.slice(0, upTo)));
    content = content.slice(upTo);
    comma = -1;
  };
  for (const { text, weight } of fragments) {
    if (text === BREAK.text && weight === BREAK.weight) {
      close(content.length);
      continue;
    }
    for (const piece of pieces(text)) {
      const isComma = piece === tokenizer.comma;
      if (content.length === size) {
        const backtrack = !isComma && comma >= 0 && size - comma <= COMMA_BACKTRACK;
        close(backtrack ? comma + 1 : size);
      }
      if (isComma) comma = content.length;
      if (typeof piece === 'number') {
        content.push({ id: piece, weight });
        continue;
      }
      if (content.length + piece.count > size) close(content.length);
      content.push(...tokensOf(piece, weight));
    }
  }
  if (content.length > 0 || chunks.length === 0) close(content.length);
  return chunks;
};
