import { FaceError } from '../errors.js';
import type { FaceNetworks } from '../faces/face.js';
import type { PickFace } from '../faces/options.js';
import { cut, cutAlike, type Window } from '../images/cut.js';
import type { DetectedFace, Pixels, Stop } from '../native/types.js';
import { expectedFor } from '../options/check.js';
import { defaultOf } from '../options/row.js';
import { REFERENCE } from '../options/table/reference.js';

/** Pictures as an image encoder is shown them. */
export interface Views {
  readonly images: readonly Pixels[];
  /** What counts of each; undefined: everything. */
  readonly masks: readonly Pixels[] | undefined;
  /** Which picture each came from. */
  readonly from: readonly number[];
}

const ROOM = 1.5; // side of the square, of the longer side of the face's box

/** The square around a face, moved into the picture; a picture that is smaller is reached beyond on both sides. */
export const closeUpOf = (
  [x1, y1, x2, y2]: DetectedFace['box'],
  { width, height }: Pick<Pixels, 'width' | 'height'>,
): Window => {
  const side = Math.max(1, Math.round(ROOM * Math.max(x2 - x1, y2 - y1)));
  const start = (middle: number, full: number): number => {
    const wanted = Math.round(middle - side / 2);
    return Math.min(Math.max(wanted, Math.min(0, full - side)), Math.max(0, full - side));
  };
  return { left: start((x1 + x2) / 2, width), top: start((y1 + y2) / 2, height), width: side, height: side };
};

/** What is asked of pictures whose faces are cut out. */
export interface CloseUpSource {
  readonly option: string;
  readonly pickFace?: PickFace | undefined;
}

/** The chosen faces of pictures as close-ups, and the parts of the mask that belong to them. */
export const closeUps = async (
  faces: FaceNetworks,
  images: readonly Pixels[],
  mask: Pixels | undefined,
  { option, pickFace = defaultOf(REFERENCE, 'pickFace') }: CloseUpSource,
  stop: Stop,
): Promise<Views> => {
  const found: { readonly image: Pixels; readonly mask: Pixels | undefined; readonly from: number }[] = [];
  for (const [from, image] of images.entries()) {
    const place = images.length > 1 ? `${option}.images[${from}]` : `${option}.image`;
    const search = await faces.find(image, stop);
    if (search.faces.length === 0) {
      throw new FaceError(
        'FACE_NOT_FOUND',
        `${place}: no face to cut out was found in ${image.width} × ${image.height} pixels, searched at ${search.tried.join(', ')}`,
        'Use a larger, frontal face, turn the picture upright, or attach the adapter with cropFace: false',
        { details: { option: place, tried: search.tried } },
      );
    }
    for (const face of await faces.choose(image, search, pickFace, place, stop)) {
      const window = closeUpOf(face.box, image);
      found.push({ image: cut(image, window), mask: mask && cutAlike(mask, image, window), from });
    }
  }
  const most = REFERENCE.rows.images.range[1];
  if (found.length > most)
    throw expectedFor('OPTION_RANGE', option, `at most ${most} faces`, found.length, 'Give fewer pictures');
  return {
    images: found.map(({ image }) => image),
    masks: mask && found.map((one) => one.mask!),
    from: found.map(({ from }) => from),
  };
};

/** The warning of an adapter that reads close-ups and has nothing to cut them out with. */
export const closeUpWanted = (option: string, name: string): [code: string, message: string] => [
  'REFERENCE_QUALITY',
  `${option}: ${name} expects a close-up of one face; give face to addAdapter and it is cut out, or cropFace: false where it is one`,
];

/** Names of files whose adapters were trained on close-ups of faces; full-face ones are known by their tensors. */
const CLOSE_UP_NAME = /plus[-_ ]?face/i;

/** Whether an adapter reads close-ups where nobody says so. source: h94/IP-Adapter, "use cropped face image as condition" */
export const readsCloseUps = (variant: string, name: string): boolean =>
  variant === 'full-face' || CLOSE_UP_NAME.test(name);
