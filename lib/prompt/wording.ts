import { OptionError } from '../errors.js';
import type { LoraUse } from './directives.js';
import type { Fragment } from './weighting.js';

/** What a text encoder is given at one time: fragments, or several texts that are mixed or stand behind one another. */
export type Text =
  /** Fragments for every text encoder; one list where all read the same. */
  | { readonly fragments: readonly (readonly Fragment[])[] }
  /** The sum of the encodings, each times its weight. */
  | { readonly mix: readonly Text[]; readonly weights: readonly number[] }
  /** The encodings behind one another. */
  | { readonly row: readonly Text[] };

/** One of the texts that a run is steered to at once: what it is in every outer step. */
export interface Part {
  readonly weight: number;
  readonly texts: readonly Text[];
  /** Which of the texts, by outer step. */
  readonly steps: readonly number[];
}

/** A prompt as its syntax reads it. */
export interface Wording {
  readonly parts: readonly Part[];
  readonly loras: readonly LoraUse[];
  /** What was not understood, in sentences. */
  readonly remarks: readonly string[];
}

/** Most different texts of one prompt over the steps: each is encoded and kept. */
const MAX_TEXTS = 64;
/** Most texts that are summed: each takes a place in the network's batch. */
export const MAX_PARTS = 8;

export const plainText = (text: string): Text => ({ fragments: [[{ text, weight: 1 }]] });

/** A wording of one text for all steps. */
export const steady = (text: Text, steps: number): Part => ({
  weight: 1,
  texts: [text],
  steps: new Array<number>(steps).fill(0),
});

const tooMany = (what: string, found: number, most: number): OptionError =>
  new OptionError(
    'OPTION_RANGE',
    `The prompt has ${found} ${what}, at most ${most} are allowed`,
    'Shorten the prompt',
    {
      details: { option: 'prompt', found, expected: most },
    },
  );

/** Refuses a prompt that would take too much memory; called as soon as the number is known. */
export const limitTexts = (found: number): void => {
  if (found > MAX_TEXTS) throw tooMany('different texts over its steps', found, MAX_TEXTS);
};
export const limitParts = (found: number): void => {
  if (found > MAX_PARTS) throw tooMany('parts joined by AND', found, MAX_PARTS);
};

const apart = (): OptionError =>
  new OptionError(
    'OPTION_CONFLICT',
    'The prompts for the two text encoders are not built alike: AND, blend and and() must have as many texts, with equal weights',
    'Build prompt2 as prompt is built, or leave it out',
    { details: { option: 'prompt2' } },
  );

const pairedAll = (first: readonly Text[], second: readonly Text[]): Text[] => {
  if (first.length !== second.length) throw apart();
  return first.map((text, i) => pairedText(text, second[i]!));
};

const pairedText = (first: Text, second: Text): Text => {
  if ('fragments' in first && 'fragments' in second) return { fragments: [first.fragments[0]!, second.fragments[0]!] };
  if ('mix' in first && 'mix' in second) {
    if (first.weights.some((weight, i) => weight !== second.weights[i])) throw apart();
    return { mix: pairedAll(first.mix, second.mix), weights: first.weights };
  }
  if ('row' in first && 'row' in second) return { row: pairedAll(first.row, second.row) };
  throw apart();
};

/** One text stands beside as many as the other side has. */
const spread = (parts: readonly Part[], like: readonly Part[]): readonly Part[] =>
  parts.length === 1 && parts[0]!.weight === 1 ? like.map(({ weight }) => ({ ...parts[0]!, weight })) : parts;

/** The wording of SDXL's two text encoders from the prompts of each. */
export const paired = (first: Wording, second: Wording): Wording => {
  const [a, b] = [spread(first.parts, second.parts), spread(second.parts, first.parts)];
  if (a.length !== b.length || a.some(({ weight }, i) => weight !== b[i]!.weight)) throw apart();
  const parts = a.map((part, p): Part => {
    const places = new Map<string, number>();
    const texts: Text[] = [];
    const steps = part.steps.map((own, step) => {
      const other = b[p]!.steps[step]!;
      const key = `${own} ${other}`;
      if (!places.has(key)) {
        places.set(key, texts.length);
        texts.push(pairedText(part.texts[own]!, b[p]!.texts[other]!));
        limitTexts(texts.length);
      }
      return places.get(key)!;
    });
    return { weight: part.weight, texts, steps };
  });
  return { parts, loras: [...first.loras, ...second.loras], remarks: [...first.remarks, ...second.remarks] };
};
