// Weights that follow from their names: the rule of test/golden/README.md, for files of models that nobody trained.
import { writeSafetensors } from '../ldm-file.js';

/** Names and shapes of tensors. */
export type Shapes = Readonly<Record<string, readonly number[]>>;

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, side) => product * side, 1);

const fnv1a64 = (text: string): bigint => {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash;
};

/** The upper half of the product of two unsigned 32-bit numbers. */
const upper = (a: number, b: number): number => {
  const [al, ah, bl, bh] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const low = Math.imul(al, bl) >>> 0;
  const cross = (Math.imul(ah, bl) >>> 0) + (low >>> 16);
  const other = (Math.imul(al, bh) >>> 0) + (cross & 0xffff);
  return ((Math.imul(ah, bh) >>> 0) + Math.floor(cross / 65536) + Math.floor(other / 65536)) >>> 0;
};

/** [offset, amplitude] */
const spread = (name: string, shape: readonly number[]): readonly [number, number] => {
  if (shape.length === 0) return [0.5, 0.25];
  if (shape.length === 1) return /(weight|running_var)$/.test(name) ? [1, 0.1] : [0, 0.05];
  return [0, Math.sqrt((3 * shape[0]!) / sizeOf(shape))];
};

/** Values of the tensor `name` of a model with this prefix. */
export const valuesOf = (prefix: string, name: string, shape: readonly number[]): Float32Array => {
  const [offset, amplitude] = spread(name, shape);
  const hash = fnv1a64(`${prefix}/${name}`);
  let [high, low] = [Number(hash >> 32n), Number(hash & 0xffffffffn)];
  const out = new Float32Array(sizeOf(shape));
  for (let i = 0; i < out.length; ++i) {
    const sum = low + 0x7f4a7c15;
    low = sum >>> 0;
    high = (high + 0x9e3779b9 + (sum > 0xffffffff ? 1 : 0)) >>> 0;
    // SplitMix64, in halves
    let [h, l] = [high, low];
    l = (l ^ ((l >>> 30) | (h << 2))) >>> 0;
    h = (h ^ (h >>> 30)) >>> 0;
    h = (upper(l, 0x1ce4e5b9) + Math.imul(l, 0xbf58476d) + Math.imul(h, 0x1ce4e5b9)) >>> 0;
    l = Math.imul(l, 0x1ce4e5b9) >>> 0;
    l = (l ^ ((l >>> 27) | (h << 5))) >>> 0;
    h = (h ^ (h >>> 27)) >>> 0;
    h = (upper(l, 0x133111eb) + Math.imul(l, 0x94d049bb) + Math.imul(h, 0x133111eb)) >>> 0;
    h = (h ^ (h >>> 31)) >>> 0;
    out[i] = offset + amplitude * (2 * ((h >>> 8) / 2 ** 24) - 1);
  }
  return out;
};

/** Writes tensors of these names and shapes, each times what `factor` says. */
export const writeMade = (
  path: string,
  prefix: string,
  shapes: Shapes,
  factor: (name: string) => number = () => 1,
): void => {
  const all = Object.entries(shapes).map(([name, shape]) => {
    const values = valuesOf(prefix, name, shape);
    const times = factor(name);
    if (times !== 1) for (let i = 0; i < values.length; ++i) values[i]! *= times;
    return [name, { dtype: 'F32', shape, bytes: Buffer.from(values.buffer) }] as const;
  });
  writeSafetensors(path, new Map(all));
};
