import { decodeImage } from '../images/decode.js';
import { hashOf } from '../images/hash.js';
import type { ImageLimits } from '../images/limits.js';
import type { CapturedImage } from '../images/source.js';
import type { EngineHost } from '../native/engine.js';
import { native } from '../native/native.js';
import type { Pixels, Stop, Tensor } from '../native/types.js';
import type { ANCHORS, FITS } from '../options/table/reference.js';
import type { Warn } from '../warnings.js';
import type { AdapterParts } from './adapter.js';
import { closeUps, type Views } from './close-up.js';
import type { Negative, NegativeNoise } from './negative.js';
import { type FaceReading, readFaces } from './read-faces.js';
import type { Readings } from './readings.js';

/** What reading pictures needs of a pipeline. */
export interface ReadContext {
  readonly host: EngineHost;
  readonly limits: ImageLimits;
  readonly stop: Stop;
  readonly warn: Warn;
}

/** Pictures, or a face that was analysed before, and how they are read. */
export interface PictureSource extends FaceReading {
  readonly images: readonly CapturedImage[];
  readonly face?: { readonly identity: Float32Array; readonly crop: CapturedImage | undefined } | undefined;
  readonly fit?: (typeof FITS)[number] | undefined;
  readonly anchor?: (typeof ANCHORS)[number] | undefined;
  readonly clipMask?: CapturedImage | undefined;
}

/** How pictures are shown to an image encoder. */
type Shown = Pick<PictureSource, 'fit' | 'anchor'> & Partial<Pick<Views, 'masks'>>;

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
  async encode(images: readonly (Pixels | null)[], { fit, anchor, masks }: Shown = {}): Promise<readonly Tensor[]> {
    const { network, size, mean, std, need } = this.adapter.encoder!;
    const { host, stop } = this.context;
    return native(
      host.engine.encodeImages(network, images, { output: need.output, size, mean, std, fit, anchor, masks, stop }),
    );
  }

  /** What a reference steers away from as a picture, and what the record says of it. */
  async negative({
    negative,
    images,
    face,
  }: Pick<PictureSource, 'images' | 'face'> & { readonly negative: Negative | undefined }): Promise<
    { readonly picture: Pixels; readonly record: string | Required<NegativeNoise> } | undefined
  > {
    if (!negative) return undefined;
    if (negative.kind !== 'noise') {
      const picture = await this.decode(negative);
      return { picture, record: hashOf(picture) };
    }
    const { kind: _, ...record } = negative;
    const { host, stop } = this.context;
    const of = images[0] ?? face?.crop; // of several pictures the first; of an embedding, none
    const pixels = of ? await this.decode(of) : null;
    const { size } = this.adapter.encoder!;
    return { picture: await native(host.engine.negativeNoise(pixels, { ...record, size, stop })), record };
  }

  async read(source: PictureSource): Promise<Readings> {
    const { needs, encoder } = this.adapter;
    const { face } = source;
    const images: Pixels[] = [];
    for (const image of source.images) images.push(await this.decode(image));
    if (face) {
      const crop = face.crop && (await this.decode(face.crop));
      const features = encoder ? await this.encode([crop!]) : undefined;
      return {
        identities: [face.identity],
        qualities: undefined,
        features,
        from: [0],
        hashes: crop ? [hashOf(crop)] : [],
      };
    }
    const hashes = images.map(hashOf);
    if (needs.identity > 0) return { ...(await this.#faces(images, source)), hashes };
    const mask = source.clipMask && (await this.decode(source.clipMask));
    const views = await this.#views(images, mask, source);
    const features = await this.encode(views.images, { fit: source.fit, anchor: source.anchor, masks: views.masks });
    return {
      features,
      identities: undefined,
      qualities: undefined,
      from: views.from,
      hashes,
      clipMask: mask && hashOf(mask),
    };
  }

  /** Pictures as they are, or the faces in them, for adapters that read close-ups. */
  async #views(images: readonly Pixels[], mask: Pixels | undefined, source: PictureSource): Promise<Views> {
    const { faces, cropFace } = this.adapter;
    if (cropFace && faces) return closeUps(faces, images, mask, source, this.context.stop);
    return { images, masks: mask && images.map(() => mask), from: images.map((_, i) => i) };
  }

  async #faces(images: readonly Pixels[], source: PictureSource): Promise<Omit<Readings, 'hashes'>> {
    const { adapter, context } = this;
    const faces = adapter.faces!;
    const read = await readFaces(faces, images, source, context);
    const crops: Pixels[] = [];
    if (adapter.encoder) {
      for (const { face, from } of read)
        crops.push(await faces.align(images[from]!, face, adapter.faceCrop, context.stop));
    }
    return {
      identities: read.map(({ identity }) => identity),
      qualities: read.map(({ quality }) => quality),
      features: adapter.encoder ? await this.encode(crops) : undefined,
      from: read.map(({ from }) => from),
    };
  }
}
