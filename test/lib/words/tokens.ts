// The token vectors of a text encoder's file.
import { readFileSync } from 'node:fs';
import { addon } from '../../../lib/native/native.js';

/** Width of the vectors, and the one of each token. */
export const tokenTable = (path: string): { width: number; rows: (id: number) => Float32Array } => {
  const tensors = addon().readTensors(readFileSync(path), 'the text encoder');
  const { shape, data } = tensors.find(({ name }) => name.endsWith('embeddings.token_embedding.weight'))!;
  const width = shape[1]!;
  return { width, rows: (id) => data.subarray(id * width, (id + 1) * width) };
};
