import { z } from 'zod';
import { ModelFileError } from '../errors.js';
import type { Tensor } from '../native/types.js';
import type { Contents } from './readings.js';

const FORMAT = 'node-ip-adapter embedding';
const MOST_ENTRIES = 16;
const MOST_HEADER = 2 ** 20; // bytes

const text = z.string().max(200);
const whole = z.number().int().nonnegative();
const HEADER = z.record(
  z.string(),
  z.object({ dtype: z.string(), shape: z.array(whole).max(4), data_offsets: z.tuple([whole, whole]) }),
);
const FACTS = z.object({
  name: text.optional(),
  encoder: text.optional(),
  output: z.enum(['image_embeds', 'penultimate']).optional(),
  from: z
    .array(whole.max(MOST_ENTRIES - 1))
    .min(1)
    .max(MOST_ENTRIES),
  hashes: z.array(text).max(MOST_ENTRIES),
  qualities: z.array(z.number().min(0).max(1)).max(MOST_ENTRIES).optional(), // since faces are judged
});

const damaged = (what: string, cause?: unknown): ModelFileError =>
  new ModelFileError(
    'MODEL_HEADER_INVALID',
    `These bytes are no embedding: ${what}`,
    'Make it again with adapter.encode',
    {
      cause,
    },
  );

/** An embedding as the bytes of a safetensors file. */
export const embeddingBytes = ({ readings, encoder, output, name }: Contents): Buffer => {
  const { features = [], identities = [], qualities, from, hashes } = readings;
  const parts: [string, readonly number[], Float32Array][] = [
    ...features.map(({ shape, data }, i): [string, readonly number[], Float32Array] => [
      `features.${i}`,
      [shape[2], shape[3]],
      data,
    ]),
    ...identities.map((data, i): [string, readonly number[], Float32Array] => [`identity.${i}`, [data.length], data]),
  ];
  let end = 0;
  const tensors = parts.map(([key, shape, { byteLength }]) => {
    const begin = end;
    end += byteLength;
    return [key, { dtype: 'F32', shape, data_offsets: [begin, end] }];
  });
  const facts = JSON.stringify({ name, encoder, output, from, hashes, qualities });
  const header = JSON.stringify({
    __metadata__: { format: FORMAT, version: '1', facts },
    ...Object.fromEntries(tensors),
  });
  const padded = Buffer.from(header.padEnd(Math.ceil(header.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([
    length,
    padded,
    ...parts.map(([, , { buffer, byteOffset, byteLength }]) => Buffer.from(buffer, byteOffset, byteLength)),
  ]);
};

/** Reads what `embeddingBytes` wrote. */
export const readEmbedding = (buffer: Buffer): Contents => {
  if (buffer.length < 8) throw damaged(`${buffer.length} bytes are too few`);
  const length = Number(buffer.readBigUInt64LE());
  if (length > MOST_HEADER || 8 + length > buffer.length) throw damaged(`its header would have ${length} bytes`);
  let facts: z.infer<typeof FACTS>;
  let tensors: z.infer<typeof HEADER>;
  try {
    const { __metadata__: metadata, ...rest } = JSON.parse(buffer.toString('utf8', 8, 8 + length)) as Record<
      string,
      unknown
    >;
    const { format, facts: given } = z.object({ format: z.literal(FORMAT), facts: z.string() }).parse(metadata);
    if (format !== FORMAT) throw damaged('another format');
    facts = FACTS.parse(JSON.parse(given));
    tensors = HEADER.parse(rest);
  } catch (cause) {
    throw damaged('its header cannot be read', cause);
  }
  const numbers = (key: string): { readonly shape: readonly number[]; readonly data: Float32Array } | undefined => {
    const tensor = Object.hasOwn(tensors, key) ? tensors[key] : undefined;
    if (!tensor) return undefined;
    const [begin, end] = tensor.data_offsets;
    const count = tensor.shape.reduce((product, size) => product * size, 1);
    if (tensor.dtype !== 'F32' || end - begin !== 4 * count || 8 + length + end > buffer.length || count === 0)
      throw damaged(`${key} does not lie where its header says`);
    const data = new Float32Array(count);
    for (let i = 0; i < count; ++i) data[i] = buffer.readFloatLE(8 + length + begin + 4 * i);
    if (!data.every(Number.isFinite)) throw damaged(`${key} has numbers that are NaN or infinite`);
    return { shape: tensor.shape, data };
  };
  const { from, hashes, qualities, encoder, output, name } = facts;
  if (from.some((picture) => picture >= hashes.length)) throw damaged('an entry is of a picture that is not there');
  if (qualities && qualities.length !== from.length) throw damaged('it has not one quality for each entry');
  const list = <T>(
    prefix: string,
    dims: number,
    make: (shape: readonly number[], data: Float32Array) => T,
  ): T[] | undefined => {
    const found = from.map((_, i) => numbers(`${prefix}.${i}`));
    if (found.every((one) => one === undefined)) return undefined;
    const first = found[0]?.shape.join();
    return found.map((one, i) => {
      if (!one || one.shape.length !== dims || one.shape.join() !== first)
        throw damaged(`${prefix}.${i} is missing or unlike the others`);
      return make(one.shape, one.data);
    });
  };
  const features = list('features', 2, ([tokens, width], data): Tensor => ({ shape: [1, 1, tokens!, width!], data }));
  const identities = list('identity', 1, (_, data) => data);
  if (!features && !identities) throw damaged('it holds no tensor');
  if (features && (encoder === undefined || output === undefined))
    throw damaged('it does not say what its features are of');
  return { readings: { features, identities, qualities, from, hashes }, encoder, output, name };
};
