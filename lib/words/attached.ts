import { OptionError, quoted } from '../errors.js';
import { stem } from '../files/files.js';
import type { Model } from '../models/model.js';
import type { Loaded } from '../native/attaching.js';
import type { EngineHost } from '../native/engine.js';
import type { Stop } from '../native/types.js';
import { TEXT_EMBEDDING } from '../options/table/attach.js';
import { type PromptWord, sameWord } from '../prompt/index.js';
import type { TextEmbeddingSettings } from './options.js';
import { readVectors } from './read.js';
import { TextEmbedding } from './text-embedding.js';

/** What text embeddings are read with. */
export interface WordContext {
  readonly host: EngineHost;
  readonly model: Model;
  readonly allowNonFinite: boolean;
  /** The pipeline's runs. */
  readonly queue: { readonly between: (work: () => Promise<void>) => Promise<void> };
}

/** The text embeddings of one pipeline. */
export class AttachedWords {
  readonly #context: WordContext;
  readonly #attached = new Map<TextEmbedding, PromptWord>();

  constructor(context: WordContext) {
    this.#context = context;
  }

  get handles(): readonly TextEmbedding[] {
    return [...this.#attached.keys()];
  }

  get names(): readonly string[] {
    return this.words.map(({ name }) => name);
  }

  /** What prompts of a run may name. */
  get words(): readonly PromptWord[] {
    return [...this.#attached.values()];
  }

  /** Reads a file that is to be attached. */
  async load(path: string, { token }: TextEmbeddingSettings, stop: Stop): Promise<Loaded<TextEmbedding>> {
    if (token !== undefined) this.#checkName(token);
    const { name: own, ...vectors } = await readVectors(this.#context, path, stop);
    const [least, most] = TEXT_EMBEDDING.rows.token.range;
    const isName = own !== undefined && own.trim().length >= least && own.length <= most;
    const word: PromptWord = { ...vectors, name: token ?? (isName ? own : stem(path)) };
    this.#checkName(word.name);
    const handle = new TextEmbedding(word, (it) => {
      this.#attached.delete(it);
      return this.#context.queue.between(async () => undefined);
    });
    return {
      handle,
      keep: () => {
        this.#checkName(word.name); // another call may have taken it meanwhile
        this.#attached.set(handle, word);
      },
      drop: () => undefined,
    };
  }

  /** A prompt must be able to name it, and nothing else by that name. */
  #checkName(name: string): void {
    const details = { details: { option: 'token', found: name } };
    for (const { tokenizer } of this.#context.model.text) {
      const ids = tokenizer.ids(name);
      if (ids.length === 0 || ids.includes(tokenizer.bos) || ids.includes(tokenizer.eos)) {
        const message = `No prompt can name a text embedding ${quoted(name)}: it is no text to the tokenizer`;
        throw new OptionError('OPTION_RANGE', message, 'Give token, a word of letters and digits', details);
      }
      const same = this.words.find((word) => sameWord(tokenizer, word.name, name));
      if (!same) continue;
      const message = `The name ${quoted(name)} is taken by another text embedding, ${quoted(same.name)}`;
      throw new OptionError('OPTION_CONFLICT', message, 'Give another token; capitals make no difference', details);
    }
  }
}
