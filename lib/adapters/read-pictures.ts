import { createHash } from 'node:crypto';
import { chooseFaces } from '../faces/face-choice.js';
import type { PickFace } from '../faces/options.js';
import { decodeImage } from '../images/decode.js';
import type { ImageLimits } from '../images/limits.js';
import type { CapturedImage } from '../images/source.js';
import type { EngineHost } from '../native/engine.js';
import { native } from '../native/native.js';
import type { Pixels, Stop, Tensor } from '../native/types.js';
import { expectedFor } from '../options/check.js';
import { defaultOf } from '../options/row.js';
import { type ANCHORS, type FITS, REFERENCE } from '../options/table/reference.js';
import type { AdapterParts } from './adapter.js';
import type { Readings } from './readings.js';

/** What reading pictures needs of a pipeline. */
export interface ReadContext {
  readonly host: EngineHost;
  readonly limits: ImageLimits;
  readonly stop: Stop;
}

/** Pictures, or a face that was analysed before, and how they are read. */
export interface PictureSource {
  readonly option: string; // for messages
  readonly images: readonly CapturedImage[];
  readonly face?: { readonly identity: Float32Array; readonly crop: CapturedImage | undefined } | undefined;
  readonly pickFace?: PickFace | undefined;
  readonly fit?: (typeof FITS)[number] | undefined;
  readonly anchor?: (typeof ANCHORS)[number] | undefined;
}

const MOST_FACES = 16; // the portrait adapters were trained with 5

export const hashOf = ({ width, height, data }: Pixels): string =>
  createHash('sha256').update(`${width}x${height}`).update(data).digest('hex');

/** Reads pictures as an adapter needs them. */
export class PictureReader {
  constructor(
    readonly context: ReadContext,
    readonly adapter: AdapterParts,
  ) {}

  decode(image: CapturedImage): Promise<Pixels> {
    return decodeImage(image, this.context.limits);
  }

  /** Through the image encoder; null: no picture. */
  async encode(
    images: readonly (Pixels | null)[],
    { fit, anchor }: Pick<PictureSource, 'fit' | 'anchor'> = {},
  ): Promise<readonly Tensor[]> {
    const { network, size, mean, std, need } = this.adapter.encoder!;
    const { host, stop } = this.context;
    return native(
      host.engine.encodeImages(network, images, { output: need.output, size, mean, std, fit, anchor, stop }),
    );
  }

  async read(source: PictureSource): Promise<Readings> {
    const { needs, encoder } = this.adapter;
    const { face } = source;
    const images: Pixels[] = [];
    for (const image of source.images) images.push(await this.decode(image));
    if (face) {
      const crop = face.crop && (await this.decode(face.crop));
      const features = encoder ? await this.encode([crop!]) : undefined;
      return { identities: [face.identity], features, from: [0], hashes: crop ? [hashOf(crop)] : [] };
    }
    const hashes = images.map(hashOf);
    if (needs.identity > 0) return { ...(await this.#faces(images, source)), hashes };
    const features = await this.encode(images, source);
    return { features, identities: undefined, from: images.map((_, i) => i), hashes };
  }

  async #faces(images: readonly Pixels[], source: PictureSource): Promise<Omit<Readings, 'hashes'>> {
    const { adapter, context } = this;
    const faces = adapter.faces!;
    const { stop } = context;
    const identities: Float32Array[] = [];
    const crops: Pixels[] = [];
    const from: number[] = [];
    for (const [i, image] of images.entries()) {
      const option = images.length > 1 ? `${source.option}.images[${i}]` : `${source.option}.image`;
      const rule = source.pickFace ?? defaultOf(REFERENCE, 'pickFace');
      for (const face of chooseFaces(await faces.find(image, stop), rule, option)) {
        identities.push(await faces.identify(image, face, stop));
        if (adapter.encoder) crops.push(await faces.align(image, face, adapter.faceCrop, stop));
        from.push(i);
      }
    }
    if (from.length > MOST_FACES) {
      const hint = 'Give fewer pictures, or another pickFace';
      throw expectedFor('OPTION_RANGE', source.option, `at most ${MOST_FACES} faces`, from.length, hint);
    }
    return { identities, features: adapter.encoder ? await this.encode(crops) : undefined, from };
  }
}
