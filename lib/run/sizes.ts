import { z } from 'zod';
import { readPlain } from '../options/check.js';
import { readOptions } from '../options/read.js';
import { whole } from '../options/schemas.js';
import { NEGATIVE_SIZE, SIZE } from '../options/table/size.js';

/**
 * What SDXL is told of a picture's size, in px: it was trained on pictures of many sizes, scaled and cut.
 *
 * @example
 * await pipe.generate({ prompt, size: { original: [512, 512], negative: { original: [4096, 4096] } } })
 */
export interface SizeOptions {
  /** Width and height before scaling, 1…16,384. Default: the picture's. */
  readonly original?: readonly [number, number];
  /** What was cut off at the left and at the top, 0…16,384. Default: nothing. */
  readonly crop?: readonly [number, number];
  /** Width and height asked for, 1…16,384. Default: the picture's. */
  readonly target?: readonly [number, number];
  /** The same of the unconditional half. Default: as these. */
  readonly negative?: Omit<SizeOptions, 'negative'>;
}

const { range } = SIZE.rows.original;
const side = whole(...range);
const cut = whole(...SIZE.rows.crop.range);
const own = {
  original: z.tuple([side, side], SIZE.rows.original.expects),
  crop: z.tuple([cut, cut], SIZE.rows.crop.expects),
  target: z.tuple([side, side], SIZE.rows.target.expects),
};

/** The option `size` with what is given of both halves. */
export const sizesOf = (value: unknown): SizeOptions | undefined => {
  if (value === undefined) return undefined;
  const { negative, ...given } = readOptions(SIZE, readPlain(value, 'size'), { ...own, negative: z.unknown() }, [
    'size',
  ]);
  const half = negative === undefined ? undefined : readOptions(NEGATIVE_SIZE, negative, own, ['size', 'negative']);
  const all = { ...given, negative: half };
  return Object.fromEntries(Object.entries(all).filter(([, one]) => one !== undefined));
};

/** The six numbers of both halves: original height and width, crop from top and left, target height and width. */
export const timeIds = (
  { original, crop, target, negative }: SizeOptions = {},
  { width, height }: { readonly width: number; readonly height: number },
): { readonly positive: readonly number[]; readonly negative: readonly number[] } => {
  const own = { original: original ?? [width, height], crop: crop ?? [0, 0], target: target ?? [width, height] };
  const six = (sizes: Required<Omit<SizeOptions, 'negative'>>): number[] =>
    [sizes.original, sizes.crop, sizes.target].flatMap(([across, down]) => [down, across]);
  return { positive: six(own), negative: six({ ...own, ...negative }) };
};
