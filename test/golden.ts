// Reads the golden tensors (test/golden/README.md). For our own files only: it checks nothing.
import { readdirSync, readFileSync } from 'node:fs';

const root = new URL('./golden/', import.meta.url);

export interface Tensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array;
}

/** What every case says of itself; a family adds its own fields. */
export interface CaseHeader {
  readonly id: string;
  readonly family: string;
  readonly reference: string;
  readonly tolerance: Readonly<Record<string, number>>;
}

export interface Golden<C extends CaseHeader = CaseHeader> {
  /** The JSON of the metadata entry `case`. */
  readonly case: C;
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** The numbers of a tensor that must be there. */
  readonly values: (name: string) => number[];
}

const ARRAYS = { F32: Float32Array, F64: Float64Array, I32: Int32Array, I64: BigInt64Array, U8: Uint8Array } as const;

interface Entry {
  readonly dtype: keyof typeof ARRAYS;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** One case, `schedulers/euler-leading` or its file name. */
export const golden = <C extends CaseHeader = CaseHeader>(name: string): Golden<C> => {
  const bytes = readFileSync(new URL(name.endsWith('.safetensors') ? name : `${name}.safetensors`, root));
  const size = Number(bytes.readBigUInt64LE(0));
  const { __metadata__: metadata, ...entries } = JSON.parse(bytes.toString('utf8', 8, 8 + size)) as {
    __metadata__: { case: string };
  } & Record<string, Entry>;
  const tensors = new Map<string, Tensor>();
  for (const [key, { dtype, shape, data_offsets: offsets }] of Object.entries<Entry>(entries)) {
    const copy = new Uint8Array(bytes.subarray(8 + size + offsets[0], 8 + size + offsets[1])); // its own buffer: aligned
    tensors.set(key, { dtype, shape, data: new ARRAYS[dtype](copy.buffer) });
  }
  const values = (key: string): number[] => {
    const tensor = tensors.get(key);
    if (!tensor) throw new Error(`${name} has no tensor ${key}`);
    return Array.from(tensor.data as Iterable<number | bigint>, Number);
  };
  return { case: JSON.parse(metadata.case) as C, tensors, values };
};

/** Names of the cases of a folder, `schedulers/ddim-leading` … */
export const goldenNames = (folder: string): string[] =>
  readdirSync(new URL(`${folder}/`, root))
    .filter((file) => file.endsWith('.safetensors') && !file.endsWith('.file.safetensors'))
    .sort()
    .map((file) => `${folder}/${file.slice(0, -'.safetensors'.length)}`);

/** A golden JSON file, `text/weights`. */
export const goldenJson = <T>(name: string): T => JSON.parse(readFileSync(new URL(`${name}.json`, root), 'utf8')) as T;

/** Largest |a − b| and the place of it. */
export const worst = (a: readonly number[], b: readonly number[]): { difference: number; at: number } => {
  let found = { difference: a.length === b.length ? 0 : Number.POSITIVE_INFINITY, at: -1 };
  for (let i = 0; i < Math.min(a.length, b.length); ++i) {
    const difference = Math.abs(a[i]! - b[i]!);
    if (!(difference <= found.difference))
      found = { difference: Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference, at: i };
  }
  return found;
};

export const largest = (values: readonly number[]): number =>
  values.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
