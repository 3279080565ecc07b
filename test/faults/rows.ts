// The rows of the tables, and what each asks of the library.
import { readFileSync } from 'node:fs';
import { defaultModel } from '../../lib/models/default-model.js';
import type { GenerateOptions, Pipeline, Reference } from '../../lib/index.js';
import { type LoadOptions, Pipeline as Library } from '../../lib/index.js';
import { type FileRecipe, located, makeFile } from './files.js';
import { type ImageRecipe, makeImage } from './pictures.js';

/** The error that must come back. */
export interface Expected {
  readonly id: string;
  readonly what: string;
  readonly code: string;
  readonly class: string;
  /** Texts that message or hint must hold. */
  readonly names: readonly string[];
  /** Longest time to the error, in ms. */
  readonly maxMs?: number;
}

interface FileRow extends Expected {
  readonly call: 'load' | 'addAdapter' | 'addLora' | 'addControlNet';
  readonly file?: FileRecipe;
  /** A path as it stands, instead of a file that is made. */
  readonly path?: string;
  readonly options?: Readonly<Record<string, unknown>>;
}

interface ReferenceRow extends Expected {
  readonly call: 'reference';
  readonly image: ImageRecipe;
  /** More of the reference. */
  readonly reference?: Readonly<Record<string, unknown>>;
}

interface GenerateRow extends Expected {
  readonly call: 'generate';
  readonly options: Readonly<Record<string, unknown>>;
  /** Gives a prompt of this many characters. */
  readonly promptLength?: number;
}

/** A row that only code can play: a function of `scenes.ts`. Without a code nothing must go wrong. */
export type SceneRow = Pick<Expected, 'id' | 'what'> &
  Partial<Expected> & {
    readonly call: 'scene';
    readonly scene: string;
  };

export type Row = FileRow | ReferenceRow | GenerateRow | SceneRow;

export const readRows = (table: string): readonly Row[] =>
  JSON.parse(readFileSync(new URL(`${table}.json`, import.meta.url), 'utf8')) as Row[];

/** The run that the same pipeline must draw the same way after every fault; rows change parts of it. */
export const goodRun = {
  prompt: 'portrait of a person, smiling',
  seed: 7,
  steps: 2,
  references: [{ adapter: 'face', image: located('sketch/references/person-1-1.png') }],
} as const satisfies GenerateOptions;

/** Options in a table name files of the bundled model as `sketch/…` and of the goldens as `golden/…`. */
const withPaths = (value: unknown): unknown => {
  if (typeof value === 'string') return /^(sketch|golden)\//.test(value) ? located(value) : value;
  if (Array.isArray(value)) return value.map(withPaths);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withPaths(inner)]));
};

/** Does what a row says; resolves only when the library found nothing wrong. */
export const play = async (row: Exclude<Row, SceneRow>, pipe: Pipeline, scratch: string): Promise<unknown> => {
  switch (row.call) {
    case 'reference': {
      const image = await makeImage(row.image);
      const reference = { adapter: 'face', ...row.reference, image } as Reference;
      return pipe.generate({ ...goodRun, references: [reference] });
    }
    case 'generate': {
      const prompt = row.promptLength === undefined ? {} : { prompt: 'a'.repeat(row.promptLength) };
      const options = withPaths(row.options) as Readonly<Record<string, unknown>>;
      return pipe.generate({ ...goodRun, ...prompt, ...options } as GenerateOptions);
    }
    default: {
      const path = row.path === undefined ? makeFile(row.file!, scratch) : (withPaths(row.path) as string);
      const options = withPaths(row.options ?? {}) as object;
      if (row.call === 'load') return Library.load(path, options as LoadOptions);
      if (row.call === 'addControlNet') return pipe.addControlNet(path, options);
      return row.call === 'addLora' ? pipe.addLora(path, options) : pipe.addAdapter(path, options);
    }
  }
};

/** The pipeline of the tests: an adapter for faces, one for whole pictures. */
export const openPipeline = async (options: LoadOptions = {}): Promise<Pipeline> => {
  const { path, adapters, face } = defaultModel();
  const pipe = await Library.load(path, options);
  await pipe.addAdapter(adapters['faceid-plusv2'], { name: 'face', face });
  await pipe.addAdapter(adapters.base, { name: 'whole' });
  return pipe;
};
