import { type Chunk, chunkOf, type Token, tokensOf } from './chunks.js';
import { Groups } from './groups.js';
import type { ClipTokenizer } from './tokenizer.js';
import type { Fragment } from './weighting.js';
import { type PromptWord, wordNamed } from './words.js';

/** Words of fewer tokens are not split between chunks. source: ComfyUI sd1_clip.py, max_word_length */
const LONG_WORD = 8;

const RUN = /(?:[^()\\:]|\\(?![()]))+/y;
// what Python's float reads, but for words and underlines
const NUMBER = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*$/;

/** The last `:` of an open parenthesis: where it stands, and how many pieces were before it. */
interface Colon {
  readonly at: number;
  readonly pieces: number;
}

/**
 * Weights by ComfyUI's rules: `(a)` is 1.1 times what is around it, `(a:1.3)` is 1.3 whatever is around it, `\(` is a
 * parenthesis. A parenthesis without a partner is text.
 *
 * @example
 * comfyWeighted('a ((red:1.2) hat)') // 'a ' × 1, 'red' × 1.2, ' hat' × 1.1
 */
export const comfyWeighted = (prompt: string): { readonly fragments: Fragment[]; readonly odd: readonly number[] } => {
  const groups = new Groups();
  const starts: number[] = []; // of the text in parentheses that are open
  const colons: (Colon | undefined)[] = [];
  const leave = (at: number): void => {
    const [start, colon] = [starts.pop(), colons.pop()];
    const number = colon && colon.at > start! ? prompt.slice(colon.at + 1, at) : '';
    const isNumber = number.length <= 40 && NUMBER.test(number);
    if (isNumber) groups.cut(colon!.pieces);
    groups.leave(at, isNumber ? () => Number(number) : (around) => around * 1.1);
  };
  for (let at = 0; at < prompt.length; ) {
    const c = prompt[at]!;
    let length = 1;
    if (c === '(') {
      if (colons.length > 0) colons[colons.length - 1] = undefined; // what follows it is more than a number
      groups.enter(at);
      starts.push(at + 1);
      colons.push(undefined);
    } else if (c === ')') {
      leave(at);
    } else if (c === '\\' && /[()]/.test(prompt[at + 1] ?? '')) {
      groups.add(prompt[at + 1]!);
      length = 2;
    } else if (c === ':') {
      if (colons.length > 0) colons[colons.length - 1] = { at, pieces: groups.count };
      groups.add(c);
    } else {
      RUN.lastIndex = at;
      const run = RUN.exec(prompt)![0];
      groups.add(run);
      length = run.length;
    }
    at += length;
  }
  return { fragments: groups.fragments(), odd: groups.odd() };
};

const EMBEDDING = 'embedding:';

/**
 * What `embedding:name` stands for, and the commas behind it, which are text. One that is not attached stands for nothing.
 * source: ComfyUI sd1_clip.py, _try_get_embedding
 */
const named = (
  text: string,
  words: readonly PromptWord[],
): { readonly word: PromptWord | undefined; readonly rest: string } => {
  const name = text.slice(EMBEDDING.length);
  const whole = wordNamed(words, name);
  if (whole) return { word: whole, rest: '' };
  let end = name.length;
  while (name[end - 1] === ',') --end;
  return { word: wordNamed(words, name.slice(0, end)), rest: name.slice(end) };
};

const wordsOf = (text: string): string[] => text.split(/[ \n]/);

/** `embedding:name` of a prompt that name nothing, as they are written. */
export const unknownEmbeddings = (fragments: readonly Fragment[], words: readonly PromptWord[]): string[] =>
  fragments
    .flatMap(({ text }) => wordsOf(text))
    .filter((text) => text.startsWith(EMBEDDING) && !named(text, words).word);

/** Tokens that stay together: those of a word of the text, or the vectors of a text embedding. */
const groupsOf = (
  tokenizer: ClipTokenizer,
  { text, weight }: Fragment,
  words: readonly PromptWord[],
): readonly (readonly Token[])[] =>
  wordsOf(text).flatMap((one) => {
    const { word, rest } = one.startsWith(EMBEDDING) ? named(one, words) : { word: undefined, rest: one };
    const ids = rest === '' ? [] : tokenizer.ids(rest);
    return [...(word ? [tokensOf(word, weight)] : []), ids.map((id) => ({ id, weight }))];
  });

/**
 * Cuts a prompt into windows by ComfyUI's rules: words are tokenized one by one; one that does not fit in whole begins the
 * next window, if it is shorter than 8 tokens. `embedding:name` is the word of that name.
 */
export const comfyChunks = (
  tokenizer: ClipTokenizer,
  fragments: readonly Fragment[],
  words: readonly PromptWord[] = [],
): Chunk[] => {
  const size = tokenizer.maxLength - 2;
  const chunks: Chunk[] = [];
  let content: Token[] = [];
  const close = (): void => {
    chunks.push(chunkOf(tokenizer, content));
    content = [];
  };
  for (const fragment of fragments) {
    for (let tokens of groupsOf(tokenizer, fragment, words)) {
      const isLong = tokens.length >= LONG_WORD;
      while (content.length + tokens.length > size) {
        const fits = isLong ? size - content.length : 0;
        for (const token of tokens.slice(0, fits)) content.push(token);
        tokens = tokens.slice(fits);
        close();
      }
      for (const token of tokens) content.push(token);
    }
  }
  close();
  return chunks;
};
