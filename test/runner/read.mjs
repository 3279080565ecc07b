// Reads golden tensors (test/golden/README.md). For trusted files only: it checks nothing.
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

/**
 * @typedef {Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array} Numbers
 * @typedef {{ readonly dtype: string, readonly shape: readonly number[], readonly data: Numbers }} Tensor
 * @typedef {{ readonly dtype: keyof typeof ARRAYS, readonly shape: number[], readonly data_offsets: [number, number] }} Entry
 */

const ARRAYS = { F32: Float32Array, F64: Float64Array, I32: Int32Array, I64: BigInt64Array, U8: Uint8Array };

/** JSON as Python writes it: what JSON has no word for (`-Infinity`) becomes null. @param {string} text */
const parsePython = (text) => JSON.parse(text.replace(/(:\s*)(?:-?Infinity|NaN)(?=\s*[,}])/g, '$1null'));

/**
 * Header of a safetensors file: the JSON of its metadata entry `case`, if any, and its tensors' types and shapes.
 * @param {string} file
 */
export const readHeader = (file) => {
  const open = openSync(file, 'r');
  try {
    const size = Buffer.alloc(8);
    readSync(open, size, 0, 8, 0);
    const bytes = Buffer.alloc(Number(size.readBigUInt64LE(0)));
    readSync(open, bytes, 0, bytes.length, 8);
    const { __metadata__: metadata = {}, ...entries } = JSON.parse(bytes.toString('utf8'));
    return {
      info: metadata.case === undefined ? undefined : parsePython(metadata.case),
      entries: /** @type {Record<string, Entry>} */ (entries),
      dataAt: 8 + bytes.length,
    };
  } finally {
    closeSync(open);
  }
};

/**
 * All tensors of a case.
 * @param {string} file
 */
export const readTensors = (file) => {
  const { entries, dataAt } = readHeader(file);
  const bytes = readFileSync(file);
  /** @type {Map<string, Tensor>} */
  const tensors = new Map();
  for (const [key, { dtype, shape, data_offsets: offsets }] of Object.entries(entries)) {
    const copy = new Uint8Array(bytes.subarray(dataAt + offsets[0], dataAt + offsets[1])); // its own buffer: aligned
    tensors.set(key, { dtype, shape, data: new ARRAYS[dtype](copy.buffer) });
  }
  return tensors;
};

/**
 * The numbers of a tensor that must be there.
 * @param {ReadonlyMap<string, Tensor>} tensors @param {string} key @returns {number[]}
 */
export const numbers = (tensors, key) => {
  const tensor = tensors.get(key);
  if (!tensor) throw new Error(`the case has no tensor ${key}`);
  return Array.from(/** @type {Iterable<number | bigint>} */ (tensor.data), Number);
};

/** @param {string} file */
export const readTable = (file) => JSON.parse(readFileSync(file, 'utf8'));
