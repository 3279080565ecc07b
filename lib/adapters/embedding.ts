import { createHash } from 'node:crypto';
import { types } from 'node:util';
import { ModelMismatchError } from '../errors.js';
import { expectedFor } from '../options/check.js';
import { embeddingBytes, readEmbedding } from './embedding-bytes.js';
import { isIpadpt, readIpadpt } from './ipadpt.js';
import type { Contents, Readings } from './readings.js';
import { type EncoderNeed, encoderName, type Needs } from './variants.js';

/** What an embedding holds. */
export interface EmbeddingInfo {
  readonly name?: string;
  /** Pictures that were given, and what is kept of them: faces, or one entry each where no face was looked for. */
  readonly pictures: number;
  readonly entries: number;
  /** The picture of each entry. */
  readonly used: readonly number[];
  /** How well each face can be recognised, 0…1. */
  readonly qualities?: readonly number[];
  /** Image encoder and its output, for adapters that read pictures. */
  readonly encoder?: string;
  readonly output?: 'image_embeds' | 'penultimate';
  /** Width of that output. */
  readonly width?: number;
  /** Numbers of an identity, for adapters that read faces. */
  readonly identity?: number;
  /** SHA-256 of each picture's pixels in normal form. */
  readonly hashes: readonly string[];
}

const contents = new WeakMap<Embedding, Contents>();

/**
 * What an image encoder and a face recogniser read from pictures, before an adapter's projector: to be kept, and used in place
 * of the pictures by every adapter that reads the same. How pictures are combined, weighed and scaled is said when it is used.
 *
 * @example
 * const her = await adapter.encode(['her-1.jpg', 'her-2.jpg'], { name: 'her' })
 * await writeFile('her.safetensors', her.toBuffer())
 * const again = Embedding.from(await readFile('her.safetensors'))
 * await pipe.generate({ prompt, references: [{ adapter, embedding: again }] })
 */
export class Embedding {
  readonly info: EmbeddingInfo;

  /** Made by `encode` and `from`; not called by users. */
  constructor(own: Contents) {
    const { readings, encoder, output, name } = own;
    const { features, identities, qualities, from, hashes } = readings;
    contents.set(this, own);
    this.info = {
      ...(name === undefined ? {} : { name }),
      pictures: hashes.length,
      entries: from.length,
      used: from,
      ...(qualities && { qualities }),
      ...(features ? { encoder: encoder!, output: output!, width: features[0]!.shape[3] } : {}),
      ...(identities ? { identity: identities[0]!.length } : {}),
      hashes,
    };
  }

  /** The bytes of a safetensors file. */
  toBuffer(): Buffer {
    return embeddingBytes(contents.get(this)!);
  }

  /**
   * Reads what `toBuffer` wrote, and `.ipadpt` files of diffusers and of ComfyUI's nodes; what those hold for the
   * unconditional side is left out, as the adapter makes its own.
   */
  static from(bytes: Uint8Array): Embedding {
    if (!types.isUint8Array(bytes)) throw expectedFor('OPTION_TYPE', 'bytes', 'the bytes of an embedding', bytes);
    const buffer = Buffer.from(bytes); // copied
    return new Embedding(isIpadpt(buffer) ? readIpadpt(buffer) : readEmbedding(buffer));
  }
}

/** SHA-256 of what an embedding holds, whatever file it came from. */
export const embeddingHash = (embedding: Embedding): string =>
  createHash('sha256').update(embedding.toBuffer()).digest('hex');

/** The side of an adapter that reads pictures. */
interface Reader {
  readonly name: string;
  readonly needs: Needs;
  readonly encoder: { readonly need: EncoderNeed } | undefined;
}

/** What an embedding holds, for an adapter. */
export const readingsOf = (embedding: Embedding): Readings => contents.get(embedding)!.readings;

/** What an adapter's reader made of pictures, as an embedding. */
export const embeddingOf = (readings: Readings, { encoder }: Reader, name: string | undefined): Embedding =>
  new Embedding({ readings, encoder: encoder && encoderName(encoder.need), output: encoder?.need.output, name });

/** An embedding serves every adapter that reads the same; another one is refused. */
export const checkEmbedding = ({ info }: Embedding, { needs, encoder, name }: Reader, option: string): void => {
  const wrong = (what: string, found: unknown, expected: unknown): ModelMismatchError =>
    new ModelMismatchError(
      'ADAPTER_ENCODER_MISMATCH',
      `${option} has ${what}, found ${String(found ?? 'none')}; ${name} reads ${String(expected)}`,
      `Make it with ${name}: await adapter.encode(images)`,
      { details: { option, found, expected } },
    );
  if (needs.identity > 0 && info.identity !== needs.identity)
    throw wrong('identities of another recogniser', info.identity, needs.identity);
  if (!encoder) return;
  const { output, width } = encoder.need;
  if (info.output !== output || info.width !== width)
    throw wrong(
      'another encoder’s features',
      `${info.output ?? ''} ${info.width ?? ''}`.trim() || undefined,
      `${output} ${width}`,
    );
};
