import { createHash } from 'node:crypto';
import { ModelFileError, ModelMismatchError, toError } from '../errors.js';
import { addon } from '../native/native.js';
import type { Addon, Tensor } from '../native/types.js';
import type { Contents } from './readings.js';
import { encoderName } from './variants.js';

// Files of embeddings as other tools save them with torch.save. diffusers: a list with a tensor for each adapter, of which the
// first axis is [unconditional; conditional], then pictures. ComfyUI's nodes: one tensor of the pictures, conditional only.

const IDENTITY = 512; // numbers of every recogniser that FaceID adapters know; no public image encoder is so narrow
const MOST_ENTRIES = 16;

interface Numbers {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** A zip archive or a bare pickle. */
export const isIpadpt = (bytes: Buffer): boolean =>
  bytes.subarray(0, 4).equals(Buffer.from('PK\x03\x04')) || (bytes[0] === 0x80 && bytes[1]! <= 5);

const shapeError = (shape: readonly number[], expected: string): ModelMismatchError =>
  new ModelMismatchError(
    'TENSOR_SHAPE',
    `An .ipadpt file with a tensor of [${shape.join(', ')}], expected ${expected}`,
    'Give the embeds that diffusers or ComfyUI saved for one adapter',
    { details: { found: [...shape], expected } },
  );

/** The conditional half: [pictures, …]. */
const conditional = ({ shape, data }: Numbers, isList: boolean): Numbers => {
  const hasHalves = isList || shape.length === 4;
  if (!hasHalves) return { shape, data };
  const [halves, ...rest] = shape;
  if (halves !== 1 && halves !== 2) throw shapeError(shape, 'one or two halves in the first axis');
  return { shape: rest, data: data.subarray(data.length - data.length / halves) };
};

/** [pictures, tokens, width] of whatever has been saved. */
const threeAxes = ({ shape, data }: Numbers): Numbers => {
  if (shape.length === 3) return { shape, data };
  if (shape.length === 2) return { shape: [shape[0]!, 1, shape[1]!], data };
  throw shapeError(shape, 'pictures, their tokens where there are several, and a width');
};

const tensorsOf = (bytes: Buffer): ReturnType<Addon['readTensors']> => {
  try {
    return addon().readTensors(bytes, 'the .ipadpt file');
  } catch (error) {
    throw toError(error);
  }
};

/** Reads an .ipadpt file of one adapter. */
export const readIpadpt = (bytes: Buffer): Contents => {
  const tensors = tensorsOf(bytes);
  const [first] = tensors;
  if (tensors.length !== 1 || !first) {
    const hint = 'Save the embeds of each adapter in a file of its own';
    throw new ModelFileError('MODEL_FORMAT_UNSUPPORTED', `An .ipadpt file of ${tensors.length} adapters`, hint, {
      details: { found: tensors.length, expected: 1 },
    });
  }
  const { shape, data } = threeAxes(conditional(first, first.name !== 'tensor'));
  const [pictures, tokens, width] = shape as [number, number, number];
  if (data.length === 0 || pictures > MOST_ENTRIES) throw shapeError(first.shape, `1 to ${MOST_ENTRIES} pictures`);
  if (!data.every(Number.isFinite)) {
    throw new ModelMismatchError(
      'TENSOR_NONFINITE',
      'An .ipadpt file with numbers that are NaN or infinite',
      'Make it again with the tool that wrote it',
    );
  }
  const parts = Array.from({ length: pictures }, (_, i) => data.slice(i * tokens * width, (i + 1) * tokens * width));
  const isIdentity = tokens === 1 && width === IDENTITY;
  const output = tokens === 1 ? 'image_embeds' : 'penultimate';
  return {
    readings: {
      features: isIdentity ? undefined : parts.map((part): Tensor => ({ shape: [1, 1, tokens, width], data: part })),
      identities: isIdentity ? parts : undefined,
      qualities: undefined,
      from: parts.map((_, i) => i),
      hashes: parts.map((part) => createHash('sha256').update(part).digest('hex')), // of the numbers: the pictures are gone
    },
    encoder: isIdentity ? undefined : encoderName({ output, width }),
    output: isIdentity ? undefined : output,
    name: undefined,
  };
};
