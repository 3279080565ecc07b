import { OptionError } from '../errors.js';
import { cut, cutAlike, type Window } from '../images/cut.js';
import { decodeImage, MIN_SIDE } from '../images/decode.js';
import { greyOf } from '../images/grey.js';
import { hashOf } from '../images/hash.js';
import type { CapturedImage } from '../images/source.js';
import type { Pixels } from '../native/types.js';
import type { AdapterParts } from './adapter.js';
import type { ReferenceSettings } from './reference.js';
import { type ResolveContext, type ResolvedReference, resolveReference } from './resolve.js';

// A picture read in squares, each of which acts on its own part of what is drawn: an image encoder sees more of a large picture.
// source: ComfyUI_IPAdapter_plus' tiled node, whose squares are cut here from the picture as it is, not from a copy of 512 px

const NEARLY_SQUARE = 4 / 3; // longer side over the shorter one
const MOST = 4; // squares in a row

/** How many squares a picture is read in, across and down. */
export const gridOf = ({ width, height }: Pick<Pixels, 'width' | 'height'>): readonly [number, number] => {
  const ratio = Math.max(width, height) / Math.min(width, height);
  if (ratio < NEARLY_SQUARE) return [2, 2];
  const count = Math.min(MOST, Math.max(2, Math.round(ratio)));
  return width > height ? [count, 1] : [1, count];
};

/** The squares of a picture by rows, of its middle where they do not fill it. */
export const squaresOf = (
  { width, height }: Pick<Pixels, 'width' | 'height'>,
  [across, down]: readonly [number, number],
): readonly Window[] => {
  const side = Math.max(1, Math.floor(Math.min(width / across, height / down)));
  const [left, top] = [Math.floor((width - side * across) / 2), Math.floor((height - side * down) / 2)];
  return Array.from({ length: across * down }, (_, i) => ({
    left: left + (i % across) * side,
    top: top + Math.floor(i / across) * side,
    width: side,
    height: side,
  }));
};

/** Each pixel as often as it takes to be as large as a picture has to be: a square of a small one may be smaller. */
const largeEnough = (picture: Pixels, channels: 1 | 3): Pixels => {
  const times = Math.ceil(MIN_SIDE / Math.min(picture.width, picture.height));
  if (times === 1) return picture;
  const [width, height] = [picture.width * times, picture.height * times];
  const data = new Uint8Array(width * height * channels);
  for (let i = 0; i < data.length; ++i) {
    const pixel = Math.floor(i / channels);
    const [x, y] = [Math.floor((pixel % width) / times), Math.floor(pixel / width / times)];
    data[i] = picture.data[(y * picture.width + x) * channels + (i % channels)]!;
  }
  return { width, height, data };
};

const raw = (option: string, picture: Pixels, channels: 1 | 3): CapturedImage => ({
  option,
  kind: 'raw',
  ...largeEnough(picture, channels),
  channels,
});

/** Where square `index` acts: its part of the picture, as far as the reference acts there. */
const partOf = (mask: Pixels, [across, down]: readonly [number, number], index: number): Pixels => {
  const { width, height } = mask;
  const [column, row] = [index % across, Math.floor(index / across)];
  const isInside = (at: number, side: number, of: number, which: number): boolean =>
    Math.floor(((at + 0.5) / side) * of) === which;
  const data = mask.data.map((value, i) =>
    isInside(i % width, width, across, column) && isInside(Math.floor(i / width), height, down, row) ? value : 0,
  );
  return { data, width, height };
};

/** A reference with `tiles`: as many image prompts as squares, each on its own part. */
export const resolveTiles = async (
  context: ResolveContext,
  reference: ReferenceSettings,
  adapter: AdapterParts,
): Promise<ResolvedReference> => {
  const { limits, picture } = context;
  const pictures: Pixels[] = [];
  for (const image of reference.images) pictures.push(await decodeImage(image, limits));
  const grid = gridOf(pictures[0]!);
  const odd = pictures.findIndex((one) => gridOf(one).join() !== grid.join());
  if (odd > 0) {
    throw new OptionError(
      'OPTION_CONFLICT',
      `${reference.option}.tiles: image ${odd} is read in ${gridOf(pictures[odd]!).join(' × ')} squares, the first in ${grid.join(' × ')}`,
      'Give pictures of about the same shape',
      { details: { option: `${reference.option}.tiles` } },
    );
  }
  const given = reference.mask && (await decodeImage(reference.mask, limits));
  const whole: Pixels = given
    ? { ...given, data: await greyOf(given) }
    : { ...picture, data: new Uint8Array(picture.width * picture.height).fill(255) };
  const seen = reference.clipMask && (await decodeImage(reference.clipMask, limits));
  const squares = pictures.map((one) => squaresOf(one, grid));
  const parts: ResolvedReference[] = [];
  for (const [index, first] of squares[0]!.entries()) {
    const images = pictures.map((one, i) => raw(reference.images[i]!.option, cut(one, squares[i]![index]!), 3));
    const mask = raw(reference.mask?.option ?? `${reference.option}.tiles`, partOf(whole, grid, index), 1);
    const clipMask = seen && raw(reference.clipMask!.option, cutAlike(seen, pictures[0]!, first), 3);
    // faces are not looked for in squares
    parts.push(
      await resolveReference(context, { ...reference, images, mask, clipMask }, { ...adapter, cropFace: false }),
    );
  }
  return {
    ...parts[0]!,
    prompts: parts.flatMap(({ prompts }) => prompts),
    hashes: pictures.map(hashOf),
    mask: given && hashOf(given),
    clipMask: seen && hashOf(seen),
  };
};
