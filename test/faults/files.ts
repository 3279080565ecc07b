// Makes the bad files of the rows: small corruptions of the bundled model's files and of the golden ones.
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Placeholders of the rows: the folders that inputs come from. */
export const located = (path: string): string =>
  join(root, path.replace(/^sketch\//, 'models/sketch/').replace(/^golden\//, 'test/golden/'));

/** How a bad file is made, in the order of these fields. */
export interface FileRecipe {
  /** Name in the temporary folder. Default: that of `copy`. */
  readonly name?: string;
  readonly text?: string;
  readonly hex?: string;
  /** Starts from this file (`sketch/…` or `golden/…`). */
  readonly copy?: string;
  /** Changes of the tensors of a safetensors file; the rest of the file is written anew to match. */
  readonly tensors?: readonly TensorEdit[];
  /** Replaces text of equal length in the file's bytes, once. */
  readonly replace?: readonly [string, string];
  /** Keeps this many bytes; a negative number drops as many from the end. */
  readonly keep?: number;
  /** The file stands in a copy of the bundled pipeline, at this path; the row gets the folder. */
  readonly inPipeline?: string;
  /** A folder that stands beside the file, by its path in the bundled model. */
  readonly beside?: string;
}

export type TensorEdit =
  /** Takes out every tensor whose name the pattern matches. */
  | { readonly drop: string }
  | { readonly rename: readonly [string, string] }
  /** Zeros of this shape in place of the tensor, or as a new one. */
  | { readonly zeros: string; readonly shape: readonly number[] }
  /** Zeros with another last dimension in place of every tensor whose name the pattern matches. */
  | { readonly columns: number; readonly of: string }
  | { readonly nan: string; readonly at: number };

interface Tensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: Buffer;
}

const HALF_NAN = 0x7e00;

const readTensors = (bytes: Buffer): Map<string, Tensor> => {
  const end = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, end)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  return new Map(
    Object.entries(header)
      .filter(([name]) => name !== '__metadata__')
      .map(([name, { dtype, shape, data_offsets: [from, to] }]) => [
        name,
        { dtype, shape, data: Buffer.from(bytes.subarray(end + from, end + to)) },
      ]),
  );
};

const writeTensors = (tensors: ReadonlyMap<string, Tensor>): Buffer => {
  let offset = 0;
  const header = Object.fromEntries(
    [...tensors].map(([name, { dtype, shape, data }]) => {
      const from = offset;
      offset += data.length;
      return [name, { dtype, shape, data_offsets: [from, offset] }];
    }),
  );
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, ...[...tensors.values()].map(({ data }) => data)]);
};

const zeros = (shape: readonly number[]): Tensor => {
  const count = shape.reduce((product, n) => product * n, 1);
  return { dtype: 'F16', shape, data: Buffer.alloc(2 * count) };
};

const edited = (tensors: Map<string, Tensor>, edit: TensorEdit): Map<string, Tensor> => {
  const find = (name: string): Tensor => {
    const tensor = tensors.get(name);
    if (!tensor) throw new Error(`the row changes ${name}, which the file does not have`);
    return tensor;
  };
  const matching = (pattern: string): [string, Tensor][] => {
    const found = [...tensors].filter(([name]) => new RegExp(pattern).test(name));
    if (found.length === 0) throw new Error(`the row changes ${pattern}, which matches no tensor`);
    return found;
  };
  if ('drop' in edit) {
    for (const [name] of matching(edit.drop)) tensors.delete(name);
  } else if ('columns' in edit) {
    for (const [name, { shape }] of matching(edit.of)) tensors.set(name, zeros([...shape.slice(0, -1), edit.columns]));
  } else if ('rename' in edit) {
    const [from, to] = edit.rename;
    find(from);
    return new Map([...tensors].map(([name, tensor]) => [name === from ? to : name, tensor]));
  } else if ('zeros' in edit) {
    tensors.set(edit.zeros, zeros(edit.shape));
  } else {
    find(edit.nan).data.writeUInt16LE(HALF_NAN, 2 * edit.at);
  }
  return tensors;
};

const replaced = (bytes: Buffer, [from, to]: readonly [string, string]): Buffer => {
  const at = bytes.indexOf(from);
  if (at < 0 || from.length !== to.length) throw new Error(`cannot replace ${from} by ${to}`);
  bytes.write(to, at, 'latin1');
  return bytes;
};

/** The bytes of a recipe. */
export const recipeBytes = (recipe: FileRecipe): Buffer => {
  const start = recipe.copy === undefined ? Buffer.from(recipe.hex ?? '', 'hex') : readFileSync(located(recipe.copy));
  let bytes: Buffer = recipe.text === undefined ? start : Buffer.from(recipe.text);
  if (recipe.tensors) bytes = writeTensors(recipe.tensors.reduce(edited, readTensors(bytes)));
  if (recipe.replace) bytes = replaced(bytes, recipe.replace);
  return recipe.keep === undefined ? bytes : bytes.subarray(0, recipe.keep < 0 ? bytes.length + recipe.keep : recipe.keep);
};

/** Links everything of a folder but one file, whose folders are made for real. */
const linkAllBut = (from: string, to: string, but: string): void => {
  mkdirSync(to, { recursive: true });
  const [first, ...rest] = but.split('/');
  for (const name of readdirSync(from)) {
    if (name !== first) symlinkSync(join(from, name), join(to, name));
    else if (rest.length > 0) linkAllBut(join(from, name), join(to, name), rest.join('/'));
  }
};

/** Makes a row's file in a new folder under `scratch`; returns the path to give to the library. */
export const makeFile = (recipe: FileRecipe, scratch: string): string => {
  const folder = mkdtempSync(join(scratch, 'row-'));
  if (recipe.inPipeline !== undefined) {
    const pipeline = join(folder, 'pipeline');
    linkAllBut(located('sketch/pipeline'), pipeline, recipe.inPipeline);
    writeFileSync(join(pipeline, recipe.inPipeline), recipeBytes(recipe));
    return pipeline;
  }
  if (recipe.beside !== undefined) {
    cpSync(located(`sketch/${recipe.beside}`), join(folder, basename(recipe.beside)), { recursive: true });
  }
  const path = join(folder, recipe.name ?? basename(recipe.copy ?? 'file'));
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, recipeBytes(recipe));
  return path;
};
