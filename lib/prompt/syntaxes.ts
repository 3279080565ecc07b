import { OptionError, quoted } from '../errors.js';
import { a1111Wording } from './a1111.js';
import { type Chunk, chunksOf } from './chunks.js';
import { comfyChunks, comfyWeighted, unknownEmbeddings } from './comfyui.js';
import { compelChunks, compelText, type Faded } from './compel.js';
import type { ClipTokenizer } from './tokenizer.js';
import type { Fragment } from './weighting.js';
import { plainText, steady, type Wording } from './wording.js';
import type { PromptWord } from './words.js';

/**
 * `a1111`: emphasis, changes over the steps, AND, BREAK, `<lora:name:w>`; `comfyui`: weights in parentheses; `compel`:
 * `+`, `-`, blend and and(); `plain`: the text as it stands.
 */
export type PromptSyntax = 'a1111' | 'comfyui' | 'compel' | 'plain';

/** What a prompt is read for. */
export interface Reading {
  /** Outer steps of the run. */
  readonly steps: number;
  /** LoRAs that directives may name. */
  readonly attached: readonly string[];
  /** Text embeddings that it may name. */
  readonly words?: readonly PromptWord[];
  /** Whether it says what to keep out. */
  readonly isNegative: boolean;
}

/** Windows of a text encoder, and the fragments that also fade out of them. */
export interface Windows {
  readonly chunks: readonly Chunk[];
  readonly faded?: readonly Faded[];
}

/** All that differs from syntax to syntax. */
interface Syntax {
  readonly wording: (prompt: string, reading: Reading) => Wording;
  readonly windows: (
    tokenizer: ClipTokenizer,
    fragments: readonly Fragment[],
    words?: readonly PromptWord[],
  ) => Windows;
  /** How weights act on the encoder's states. */
  readonly emphasis: 'original' | 'from-empty' | 'none';
}

const alone = (odd: readonly number[], prompt: string, syntax: PromptSyntax): string[] => [
  ...(odd.length > 0 ? ['A parenthesis of the prompt has no partner, it is read as text'] : []),
  ...(/<lora:/.test(prompt)
    ? [`<lora:…> is not known to promptSyntax ${syntax}: it is read as text; give loras instead`]
    : []),
];

const SYNTAXES: Readonly<Record<PromptSyntax, Syntax>> = {
  a1111: {
    wording: a1111Wording,
    windows: (tokenizer, fragments, words) => ({ chunks: chunksOf(tokenizer, fragments, words) }),
    emphasis: 'original',
  },
  comfyui: {
    wording: (prompt, { steps, words = [] }) => {
      const { fragments, odd } = comfyWeighted(prompt);
      const unknown = unknownEmbeddings(fragments, words).slice(0, 1);
      const remarks = unknown.map(
        (one) => `No text embedding is attached for ${quoted(one)} of the prompt: it is left out`,
      );
      const parts = [steady({ fragments: [fragments] }, steps)];
      return { parts, loras: [], remarks: [...alone(odd, prompt, 'comfyui'), ...remarks] };
    },
    windows: (tokenizer, fragments, words) => ({ chunks: comfyChunks(tokenizer, fragments, words) }),
    emphasis: 'from-empty',
  },
  compel: {
    wording: (prompt, { steps }) => {
      const { text, odd } = compelText(prompt);
      return { parts: [steady(text, steps)], loras: [], remarks: alone(odd, prompt, 'compel') };
    },
    windows: compelChunks,
    emphasis: 'from-empty',
  },
  plain: {
    wording: (prompt, { steps }) => ({ parts: [steady(plainText(prompt), steps)], loras: [], remarks: [] }),
    windows: (tokenizer, fragments) => ({ chunks: chunksOf(tokenizer, fragments) }),
    emphasis: 'none',
  },
};

export const promptSyntaxes = Object.keys(SYNTAXES) as readonly PromptSyntax[] as readonly [
  PromptSyntax,
  ...PromptSyntax[],
];
export const syntaxOf = (name: PromptSyntax): Pick<Syntax, 'windows' | 'emphasis'> => SYNTAXES[name];

/** Longest prompt, in UTF-16 units. */
export const MAX_PROMPT_CHARS = 100_000;

/** The texts a prompt stands for, by its weights in finite numbers. */
const checkWeights = ({ parts }: Wording): void => {
  const texts = parts.flatMap((part) => part.texts);
  for (let text = texts.pop(); text; text = texts.pop()) {
    if ('mix' in text) texts.push(...text.mix);
    else if ('row' in text) texts.push(...text.row);
    else if (text.fragments.some((list) => list.some((one) => !Number.isFinite(one.weight) && one.text !== '')))
      throw new OptionError(
        'OPTION_RANGE',
        'A weight in the prompt is too large for a number',
        'Use weights such as 1.3 and fewer parentheses',
        { details: { option: 'prompt' } },
      );
  }
};

/**
 * What a prompt says in the words of its syntax.
 *
 * @example
 * wordingOf('a [red:blue:3] hat <lora:ink:0.8>', 'a1111', { steps: 10, attached: ['ink'], isNegative: false })
 */
export const wordingOf = (prompt: string, syntax: PromptSyntax, reading: Reading): Wording => {
  if (prompt.length > MAX_PROMPT_CHARS) {
    throw new OptionError(
      'PROMPT_TOO_LONG',
      `The prompt has ${prompt.length} characters, at most ${MAX_PROMPT_CHARS} are allowed`,
      'Shorten the prompt',
      { details: { option: 'prompt', found: prompt.length, expected: MAX_PROMPT_CHARS } },
    );
  }
  const wording = SYNTAXES[syntax].wording(prompt, reading);
  checkWeights(wording);
  return wording;
};
