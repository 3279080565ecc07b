import { native } from '../native/native.js';
import type { SampleSpec, Tensor, TextInput } from '../native/types.js';
import {
  type Chunk,
  emptyChunk,
  type Fragment,
  type PromptWord,
  syntaxOf,
  type Text,
  type Windows,
  type Wording,
} from '../prompt/index.js';
import type { Pass } from './passes.js';
import type { Run, RunContext } from './request.js';
import { timeIds } from './sizes.js';

interface Encoded {
  readonly context: Tensor;
  readonly pooled?: Tensor | undefined;
}

/** The part of a sampling call that says what to draw. */
export type TextSpec = Pick<
  SampleSpec,
  'context' | 'negativeContext' | 'pooled' | 'negativePooled' | 'timeIds' | 'negativeTimeIds' | 'texts'
>;

/** Where words stand in the chunks of one text encoder, and their vectors for it. */
const vectorsIn = (chunks: readonly Chunk[], tower: number): NonNullable<TextInput['vectors']> =>
  chunks.flatMap(({ words }, chunk) =>
    words.map(({ word, at, first, count }) => {
      const all = word.towers[tower]!;
      const width = all.length / word.count;
      return { chunk, at, data: all.subarray(first * width, (first + count) * width) };
    }),
  );

const zerosLike = ({ shape, data }: Tensor): Tensor => ({ shape, data: new Float32Array(data.length) });

const behindOneAnother = (contexts: readonly Tensor[]): Tensor => {
  const [, , , width] = contexts[0]!.shape;
  const tokens = contexts.reduce((sum, { shape }) => sum + shape[2], 0);
  const data = new Float32Array(tokens * width);
  let at = 0;
  for (const context of contexts) {
    data.set(context.data, at);
    at += context.data.length;
  }
  return { shape: [1, 1, tokens, width], data };
};

/** Encodes the texts of a run, each distinct one once. */
export class TextEncoder {
  readonly #made = new Map<string, Promise<Encoded>>();
  readonly #placed = new Set<PromptWord>();
  readonly #syntax: ReturnType<typeof syntaxOf>;

  constructor(
    readonly run: Run,
    readonly context: RunContext,
  ) {
    this.#syntax = syntaxOf(run.settings.promptSyntax);
  }

  /** Text embeddings that stand in what was encoded. */
  get words(): readonly PromptWord[] {
    return this.run.words.filter((word) => this.#placed.has(word));
  }

  /** Windows that a text takes. */
  length(text: Text): number {
    if ('mix' in text) return Math.max(...text.mix.map((one) => this.length(one)));
    if ('row' in text) return text.row.reduce((sum, one) => sum + this.length(one), 0);
    return Math.max(...this.context.model.text.map((_, tower) => this.#windows(text.fragments, tower).chunks.length));
  }

  /** `count` windows of a text; what it does not fill is an empty prompt. `which`: 0 positive, 1 negative. */
  encode(text: Text, count: number, which: 0 | 1): Promise<Encoded> {
    const key = JSON.stringify([text, count, this.run.settings.clipSkip[which]]);
    const known = this.#made.get(key);
    if (known) return known;
    const made = this.#encode(text, count, which);
    this.#made.set(key, made);
    return made;
  }

  #windows(fragments: readonly (readonly Fragment[])[], tower: number): Windows {
    const { tokenizer } = this.context.model.text[tower]!;
    return this.#syntax.windows(tokenizer, fragments[tower] ?? fragments[0]!, this.run.words);
  }

  async #encode(text: Text, count: number, which: 0 | 1): Promise<Encoded> {
    if ('mix' in text) return this.#mixed(text.mix, text.weights, count, which);
    if ('row' in text) {
      const lengths = text.row.map((one) => this.length(one));
      lengths[lengths.length - 1]! += count - lengths.reduce((sum, one) => sum + one, 0);
      const all = await inTurn(text.row, (one, i) => this.encode(one, lengths[i]!, which));
      return { context: behindOneAnother(all.map(({ context }) => context)), pooled: all[0]!.pooled };
    }
    const { model, host, stop } = this.context;
    const inputs = model.text.map(({ network, tokenizer }, tower): TextInput => {
      const { chunks, faded } = this.#windows(text.fragments, tower);
      for (const { words } of chunks) for (const { word } of words) this.#placed.add(word);
      const empty = emptyChunk(tokenizer);
      const all = [...chunks, ...new Array<typeof empty>(count - chunks.length).fill(empty)];
      return {
        network,
        chunks: all.map((chunk) => chunk.ids),
        weights: all.map((chunk) => chunk.weights),
        vectors: vectorsIn(chunks, tower),
        ...(this.#syntax.emphasis === 'from-empty' ? { empty: empty.ids } : {}),
        ...(faded && faded.length > 0 ? { faded } : {}),
        skip: this.run.settings.clipSkip[which]!,
        state: model.isXl ? 'penultimate' : 'last',
        ...(model.isXl && tower === model.text.length - 1 ? { pooled: true } : {}),
      };
    });
    return native(host.engine.encodeText(inputs, { emphasis: this.#syntax.emphasis, stop }));
  }

  async #mixed(texts: readonly Text[], weights: readonly number[], count: number, which: 0 | 1): Promise<Encoded> {
    const { engine } = this.context.host;
    const { stop } = this.context;
    const all = await inTurn(texts, (one) => this.encode(one, count, which));
    const sum = (tensors: readonly Tensor[]): Promise<Tensor> =>
      native(engine.combine(tensors, { how: 'add', weights, renormalize: false, stop }));
    const context = await sum(all.map((one) => one.context));
    return { context, pooled: all[0]!.pooled && (await sum(all.map((one) => one.pooled!))) };
  }
}

const inTurn = async <A, B>(list: readonly A[], make: (one: A, i: number) => Promise<B>): Promise<B[]> => {
  const made: B[] = [];
  for (const [i, one] of list.entries()) made.push(await make(one, i));
  return made;
};

const EMPTY: Text = { fragments: [[{ text: '', weight: 1 }]] };

/** All prompts of a pass through the text encoders, to one number of windows, as the step loop takes them. */
export const encodePrompts = async (encoder: TextEncoder, pass: Pass): Promise<TextSpec> => {
  const { model } = encoder.context;
  const { settings } = encoder.run;
  const { length: stepCount } = pass.prompt.parts[0]!.steps;
  const isGuided = settings.guidanceScale > 1;
  const noNegative: Wording = {
    parts: [{ weight: 1, texts: [EMPTY], steps: new Array<number>(stepCount).fill(0) }],
    loras: [],
    remarks: [],
  };
  const isZero = pass.negative === undefined && model.zeroNegative;
  const negative = (pass.negative ?? noNegative).parts[0]!;
  const all = [...pass.prompt.parts, ...(isGuided && !isZero ? [negative] : [])].flatMap(({ texts }) => texts);
  const count = Math.max(...all.map((text) => encoder.length(text)));
  const sizes = model.isXl ? timeIds(settings.size, pass) : undefined;

  const conditions: { encoded: Encoded; timeIds: readonly number[] | undefined }[] = [];
  const positives = await inTurn(pass.prompt.parts, async ({ texts }) => {
    const first = conditions.length;
    for (const text of texts)
      conditions.push({ encoded: await encoder.encode(text, count, 0), timeIds: sizes?.positive });
    return first;
  });
  const negativeFirst = conditions.length;
  if (isGuided) {
    for (const text of isZero ? [EMPTY] : negative.texts) {
      // source: diffusers, SDXL's force_zeros_for_empty_prompt
      const { context: like, pooled } = conditions[0]!.encoded;
      const encoded = isZero
        ? { context: zerosLike(like), ...(pooled ? { pooled: zerosLike(pooled) } : {}) }
        : await encoder.encode(text, count, 1);
      conditions.push({ encoded, timeIds: sizes?.negative });
    }
  }
  const weights = pass.prompt.parts.map(({ weight }) => weight);
  const isSteady = weights.length === 1 && weights[0] === 1 && conditions.length === (isGuided ? 2 : 1);
  if (isSteady) {
    const [one, other] = conditions;
    return {
      context: one!.encoded.context,
      ...(other ? { negativeContext: other.encoded.context } : {}),
      ...(sizes ? { pooled: one!.encoded.pooled!, timeIds: sizes.positive } : {}),
      ...(sizes && other ? { negativePooled: other.encoded.pooled!, negativeTimeIds: sizes.negative } : {}),
    };
  }
  return {
    texts: {
      conditions: conditions.map(({ encoded, timeIds: ids }) => ({
        context: encoded.context,
        ...(ids ? { pooled: encoded.pooled!, timeIds: ids } : {}),
      })),
      weights,
      steps: Array.from({ length: stepCount }, (_, step) => [
        ...(isGuided ? [negativeFirst + (isZero ? 0 : negative.steps[step]!)] : []),
        ...pass.prompt.parts.map(({ steps }, i) => positives[i]! + steps[step]!),
      ]),
    },
  };
};
