import { z } from 'zod';

// What is read of a record, which may have come out of a stranger's picture. Values of options are checked by whoever takes
// them; here is what files are found by, and what has another form there than as an option.

const hash = z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 of 64 hexadecimal digits');
const name = z.string().min(1).max(300);
const hashes = z.record(z.string().max(40), hash);
const adapter = {
  adapter: name,
  adapterVersion: z.enum(['v1', 'v2']).optional(),
  cropFace: z.boolean().optional(),
  faceCrop: z.number().optional(),
  detSize: z.number().optional(),
  detThreshold: z.number().optional(),
  loraScale: z.number().optional(),
  sha256: hashes.default({}),
};
const box = z.tuple([z.number(), z.number(), z.number(), z.number()]);

const reference = z.looseObject({
  ...adapter,
  embedding: hash.optional(),
  face: hash.optional(),
  images: z.array(hash).max(16),
  compositionImage: hash.optional(),
  mask: hash.optional(),
  clipMask: hash.optional(),
  negative: z.union([hash, z.looseObject({ noise: z.string() })]).optional(),
  region: box.optional(),
});

const MOST = 64; // of anything that a run has several of

/** A record, as far as it is read here. */
export const RECORD = z.looseObject({
  width: z.int().min(1).max(4096),
  height: z.int().min(1).max(4096),
  seed: z.string().regex(/^\d{1,20}$/, 'a whole number'),
  batch: z.object({ index: z.int().min(0).max(63), count: z.int().min(1).max(64) }).optional(),
  device: z.string().max(40),
  dtype: z.enum(['f32', 'f16', 'bf16']),
  model: z.looseObject({ name, sha256: z.union([hash, hashes]).optional() }),
  vaeTiling: z.literal('always').optional(),
  imageBackground: z.string().optional(),
  loras: z
    .array(z.looseObject({ name, scale: z.number(), textScale: z.number(), sha256: hash.optional() }))
    .max(MOST)
    .default([]),
  textEmbeddings: z
    .array(z.looseObject({ name, sha256: hash }))
    .max(MOST)
    .default([]),
  references: z.array(reference).max(MOST),
  controls: z
    .array(z.looseObject({ controlNet: name, image: hash, sha256: hash.optional() }))
    .max(MOST)
    .default([]),
  init: z
    .looseObject({
      image: hash,
      mask: z.union([z.literal('face'), hash]).optional(),
      faces: z.looseObject(adapter).optional(),
    })
    .optional(),
  truncated: z.boolean().optional(),
});

export type Recorded = z.infer<typeof RECORD>;
/** An adapter as a reference or the mask of `init` has it. */
export type RecordedAdapter = Pick<
  Recorded['references'][number],
  'adapter' | 'adapterVersion' | 'loraScale' | 'cropFace' | 'faceCrop' | 'detSize' | 'detThreshold' | 'sha256'
>;
