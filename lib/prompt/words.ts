import type { ClipTokenizer } from './tokenizer.js';

/** A word of prompts that stands for vectors of its own (textual inversion) and takes a token's place for each of them. */
export interface PromptWord {
  readonly name: string;
  /** How many vectors it has. */
  readonly count: number;
  /** For each text encoder its vectors, one after the other. */
  readonly towers: readonly Float32Array[];
  /** SHA-256 of the file that it came from. */
  readonly sha256: string;
}

/** A token's id, or a word in place of the tokens of its name. */
export type Piece = number | PromptWord;

const EDGE = '[\\p{L}\\p{N}]';

/** Puts spaces around names that begin or end in punctuation: "<toy>," is one piece to the tokenizer, which hides the name. */
const spaced = (words: readonly PromptWord[]): ((text: string) => string) => {
  const isEdge = (letter: string | undefined): boolean => new RegExp(EDGE, 'u').test(letter ?? '');
  const patterns = words
    .map(({ name }) => ({ name, from: isEdge([...name][0]), to: isEdge([...name].at(-1)) }))
    .filter(({ from, to }) => !(from && to))
    .sort((a, b) => b.name.length - a.name.length)
    .map(({ name, from, to }) => {
      const literal = name.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
      return `${from ? `(?<!${EDGE})` : ''}${literal}${to ? `(?!${EDGE})` : ''}`;
    });
  if (patterns.length === 0) return (text) => text;
  const any = new RegExp(patterns.join('|'), 'giu');
  return (text) => text.replaceAll(any, ' $& ');
};

/** The word of a name, whose capitals make no difference. */
export const wordNamed = (words: readonly PromptWord[], name: string): PromptWord | undefined =>
  words.find((word) => word.name.toLowerCase() === name.toLowerCase());

/** Whether two names are one to a tokenizer: it knows no capitals. */
export const sameWord = (tokenizer: ClipTokenizer, a: string, b: string): boolean =>
  tokenizer.ids(a).join() === tokenizer.ids(b).join();

/**
 * A tokenizer that knows words. They are looked for among the tokens, the longest first: where the tokens of a name stand,
 * however it is written, its word does. source: AUTOMATIC1111 web UI, find_embedding_at_position
 */
export const piecesWith = (tokenizer: ClipTokenizer, words: readonly PromptWord[]): ((text: string) => Piece[]) => {
  if (words.length === 0) return tokenizer.ids;
  const known = new Map<number, { readonly ids: readonly number[]; readonly word: PromptWord }[]>();
  for (const word of words) {
    const ids = tokenizer.ids(word.name);
    const same = [...(known.get(ids[0]!) ?? []), { ids, word }];
    known.set(
      ids[0]!,
      same.sort((a, b) => b.ids.length - a.ids.length),
    );
  }
  const prepared = spaced(words);
  return (text) => {
    const ids = tokenizer.ids(prepared(text));
    const pieces: Piece[] = [];
    for (let at = 0; at < ids.length; ) {
      const found = known.get(ids[at]!)?.find((one) => one.ids.every((id, i) => id === ids[at + i]));
      pieces.push(found ? found.word : ids[at]!);
      at += found ? found.ids.length : 1;
    }
    return pieces;
  };
};
