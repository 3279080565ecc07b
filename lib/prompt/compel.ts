import { OptionError, quoted } from '../errors.js';
import { type Chunk, chunkOf, type Token, tokensOf } from './chunks.js';
import { Groups, type Weigh } from './groups.js';
import type { ClipTokenizer } from './tokenizer.js';
import type { Fragment } from './weighting.js';
import { plainText, type Text } from './wording.js';
import { type PromptWord, piecesWith } from './words.js';

// A word may have hyphens inside; + or - behind it are its weight
const WORD = /(?:[\p{L}\p{M}\p{N}_'’]|-(?=[\p{L}\p{N}_]))+/uy;
const SIGNS = /\++|-+/y;
const NUMBER = /[+-]?(?:\d+\.?\d*|\.\d+)/y;
const CALL = /\)\s*\.(blend|and)\s*\(|\.(swap)\(/;
const STRING = /\s*"((?:[^"\\]|\\[\s\S])*)"\s*/y;
const ARGUMENTS = /\s*\.(blend|and)\s*\(([^()"]*)\)\s*/y;

/** Deepest nesting of blend and and(). */
const MAX_DEPTH = 16;

const refused = (message: string, found: string, hint: string): OptionError =>
  new OptionError('OPTION_RANGE', message, hint, { details: { option: 'prompt', found: found.slice(0, 40) } });

const matchAt = (pattern: RegExp, text: string, at: number): RegExpExecArray | null => {
  pattern.lastIndex = at;
  return pattern.exec(text);
};

const signs = (run: string): Weigh => {
  const factor = (run[0] === '+' ? 1.1 : 0.9) ** run.length;
  return (around) => around * factor;
};

/** Neighbours of one weight are one fragment; space between two is none. source: compel, fuse_fragments */
const fused = (fragments: readonly Fragment[]): Fragment[] => {
  const result: { texts: string[]; weight: number }[] = [];
  for (const { text, weight } of fragments) {
    if (text.trim() === '') continue;
    const last = result.at(-1);
    if (last?.weight === weight) last.texts.push(text);
    else result.push({ texts: [text], weight });
  }
  return result.length > 0
    ? result.map(({ texts, weight }) => ({ text: texts.join(' '), weight }))
    : [{ text: '', weight: 1 }];
};

/**
 * Weights of compel: `word+` × 1.1 and `word-` × 0.9 per sign, `(some words)++`, `(some words)1.3`; nested ones multiply,
 * a backslash makes the next character text.
 *
 * @example
 * compelWeighted('a (red hat)1.2 on a man-') // 'a ' × 1, 'red hat' × 1.2, ' on a ' × 1, 'man' × 0.9
 */
export const compelWeighted = (prompt: string): { readonly fragments: Fragment[]; readonly odd: readonly number[] } => {
  const groups = new Groups();
  for (let at = 0; at < prompt.length; ) {
    const c = prompt[at]!;
    const word = matchAt(WORD, prompt, at)?.[0];
    if (word !== undefined) {
      const run = matchAt(SIGNS, prompt, at + word.length)?.[0] ?? '';
      const end = at + word.length + run.length;
      const isWeight = run !== '' && !/[\p{L}\p{N}_]/u.test(prompt[end] ?? '');
      if (isWeight) groups.enter(at);
      groups.add(word);
      if (isWeight) groups.leave(at, signs(run));
      else if (run !== '') groups.add(run);
      at = end;
    } else if (c === '(') {
      groups.enter(at);
      at += 1;
    } else if (c === ')') {
      const isOpen = groups.depth > 0;
      const run = isOpen ? (matchAt(SIGNS, prompt, at + 1)?.[0] ?? '') : '';
      const signed = run.length > 1 || (run !== '' && !/[\d.]/.test(prompt[at + 2] ?? ''));
      const number = isOpen && !signed ? (matchAt(NUMBER, prompt, at + 1)?.[0] ?? '') : '';
      groups.leave(at, signed ? signs(run) : (around) => around * (number === '' ? 1 : Number(number)));
      at += 1 + (signed ? run.length : number.length);
    } else if (c === '\\' && at + 1 < prompt.length) {
      groups.add(prompt[at + 1]!);
      at += 2;
    } else {
      groups.add(c);
      at += 1;
    }
  }
  return { fragments: fused(groups.fragments()), odd: groups.odd() };
};

type Leaf = (text: string) => Text;

/** `("a", "b").blend(.7, .3)` or `("a", "b").and()` at `at`, and where it ends; undefined: there is none. */
const callAt = (
  prompt: string,
  at: number,
  leaf: Leaf,
  depth: number,
): { readonly text: Text; readonly end: number } | undefined => {
  const opening = matchAt(/\s*\(/y, prompt, at);
  if (!opening) return undefined;
  if (depth > MAX_DEPTH) throw refused('blend and and() are nested too deeply', prompt, 'Write them flatter');
  const items: Text[] = [];
  let end = at + opening[0].length;
  for (;;) {
    const text = matchAt(STRING, prompt, end);
    const inner = text
      ? { text: leaf(text[1]!.replace(/\\"/g, '"')), end: end + text[0].length }
      : callAt(prompt, end, leaf, depth + 1);
    if (!inner) return undefined;
    items.push(inner.text);
    end = inner.end;
    const next = matchAt(/\s*([,)])/y, prompt, end);
    if (!next) return undefined;
    end += next[0].length;
    if (next[1] === ')') break;
  }
  const call = matchAt(ARGUMENTS, prompt, end);
  if (!call) return undefined;
  const given = call[2]!
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');
  return { text: made(call[1]!, items, given, call[0]), end: end + call[0].length };
};

const numbers = (given: readonly string[], count: number, source: string): number[] => {
  const list = given.map((one) => (/^[+-]?(?:\d+\.?\d*|\.\d+)$/.test(one) ? Number(one) : Number.NaN));
  if (list.length !== count || list.some((one) => !Number.isFinite(one)))
    throw refused(
      `${quoted(source.trim())} of the prompt needs ${count} numbers, one per text`,
      source,
      'Write ("a", "b").blend(0.7, 0.3)',
    );
  return list;
};

const made = (name: string, items: readonly Text[], given: readonly string[], source: string): Text => {
  if (name === 'and') {
    const weights = given.length > 0 ? numbers(given, items.length, source) : items.map(() => 1);
    // away from the empty prompt, as the weights of words. source: compel, conjunctions
    const row = items.map((text, i) =>
      weights[i] === 1 ? text : { mix: [text, plainText('')], weights: [weights[i]!, 1 - weights[i]!] },
    );
    return { row };
  }
  const raw = given.at(-1) === 'no_normalize';
  const weights = numbers(raw ? given.slice(0, -1) : given, items.length, source);
  const sum = raw ? 1 : weights.reduce((all, one) => all + one, 0);
  if (sum === 0) throw refused('The weights of blend have the sum 0', source, 'Use other weights, or add no_normalize');
  return { mix: items, weights: weights.map((one) => one / sum) };
};

/** A prompt of compel: weighted text, or texts that are blended or stand behind one another. */
export const compelText = (prompt: string): { readonly text: Text; readonly odd: readonly number[] } => {
  const odd: number[] = [];
  const leaf: Leaf = (text) => {
    const [, call, swap] = CALL.exec(text) ?? [];
    if (swap)
      throw refused(
        'swap() of the prompt needs control of cross-attention, which there is not',
        text,
        'Use promptSyntax "a1111" with [from:to:when]',
      );
    if (call)
      throw refused(
        `${call}() of the prompt joins whole texts in quotes and stands alone`,
        text,
        `Write ("one", "two").${call}(1, 1)`,
      );
    const weighted = compelWeighted(text);
    if (odd.length === 0) odd.push(...weighted.odd.slice(0, 1));
    return { fragments: [weighted.fragments] };
  };
  const call = CALL.test(prompt) ? callAt(prompt, 0, leaf, 0) : undefined;
  if (call && call.end === prompt.length) return { text: call.text, odd };
  return { text: leaf(prompt), odd };
};

/** Places of a fragment's tokens in the windows. */
export interface Faded {
  readonly weight: number;
  readonly runs: readonly { readonly chunk: number; readonly first: number; readonly count: number }[];
}

/** Windows filled to the last token, and where fragments lie that weigh less than 1. */
export const compelChunks = (
  tokenizer: ClipTokenizer,
  fragments: readonly Fragment[],
  words: readonly PromptWord[] = [],
): { readonly chunks: Chunk[]; readonly faded: Faded[] } => {
  const pieces = piecesWith(tokenizer, words);
  const size = tokenizer.maxLength - 2;
  const content: Token[] = [];
  const faded: Faded[] = [];
  for (const { text, weight } of fragments) {
    const begin = content.length;
    for (const piece of pieces(text))
      if (typeof piece === 'number') content.push({ id: piece, weight });
      else content.push(...tokensOf(piece, weight));
    if (weight >= 1 || content.length === begin) continue;
    const runs = [];
    for (let at = begin; at < content.length; ) {
      const chunk = Math.floor(at / size);
      const end = Math.min(content.length, (chunk + 1) * size);
      runs.push({ chunk, first: 1 + (at % size), count: end - at });
      at = end;
    }
    faded.push({ weight, runs });
  }
  const chunks: Chunk[] = [];
  for (let at = 0; at < content.length || at === 0; at += size)
    chunks.push(chunkOf(tokenizer, content.slice(at, at + size)));
  return { chunks, faded };
};
