import { z } from 'zod';
import type { PickFace } from '../faces/options.js';
import { type CapturedImage, captureImage, type ImageSource } from '../images/source.js';
import { readList } from '../options/check.js';
import { readOptions } from '../options/read.js';
import { ENCODE } from '../options/table/attach.js';
import { type ANCHORS, type FITS, REFERENCE } from '../options/table/reference.js';
import type { ON_MISSING } from '../options/table/shared.js';

/**
 * How pictures are read for an embedding.
 *
 * @example
 * const her = await adapter.encode('her.jpg', { name: 'her', pickFace: 'only' })
 */
export interface EncodeOptions {
  /** Kept with the embedding. */
  readonly name?: string;
  /** Which face of a picture with several: a rule, or a place 0…999, best score first. Default `largest`. */
  readonly pickFace?: PickFace;
  /** What happens to a picture of several without a face: `skip`, it is left out with a warning. Default `error`. */
  readonly onMissing?: (typeof ON_MISSING)[number];
  /** How a picture becomes the square that the image encoder reads; `pad` adds black bars. Default `crop`. */
  readonly fit?: (typeof FITS)[number];
  /** What `crop` keeps of the picture, and where it lies in `pad`. Default `center`. */
  readonly anchor?: (typeof ANCHORS)[number];
  /** What counts of a picture: white fully, black not at all. Any size: it is stretched over each picture. */
  readonly clipMask?: ImageSource;
  readonly signal?: AbortSignal;
}

/** A call of `encode` with its pictures copied and its options checked. */
export interface EncodeSettings {
  readonly images: readonly CapturedImage[];
  readonly name: EncodeOptions['name'];
  readonly pickFace: EncodeOptions['pickFace'];
  readonly onMissing: EncodeOptions['onMissing'];
  readonly fit: EncodeOptions['fit'];
  readonly anchor: EncodeOptions['anchor'];
  readonly clipMask: CapturedImage | undefined;
  readonly signal: AbortSignal | undefined;
}

export const encodeSettings = (
  images: ImageSource | readonly ImageSource[],
  options: EncodeOptions = {},
): EncodeSettings => {
  const { name, pickFace, onMissing, fit, anchor, clipMask, signal } = readOptions(ENCODE, options, {
    clipMask: z.unknown(),
  });
  const captured = Array.isArray(images)
    ? readList(images, 'images', REFERENCE.rows.images.range[1]).map((image, i) => captureImage(image, `images[${i}]`))
    : [captureImage(images, 'image')];
  const mask = clipMask === undefined ? undefined : captureImage(clipMask, 'clipMask');
  return { images: captured, name, pickFace, onMissing, fit, anchor, clipMask: mask, signal };
};
