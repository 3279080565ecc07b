import { z } from 'zod';
import { type CapturedImage, captureImage, type ImageSource } from '../images/source.js';
import { expectedFor, optionPath, readPlain } from '../options/check.js';
import { readOptions } from '../options/read.js';
import { FACE_REFERENCE } from '../options/table/faces.js';
import type { Adapter } from './adapter.js';
import { type ReferenceSettings, referenceOf } from './reference.js';
import type { Scale } from './scales.js';

/** A part of the picture in fractions from 0 to 1: left and upper edge, width, height. */
export type Box = readonly [x: number, y: number, width: number, height: number];

/**
 * One person of a run and where they are: short for a reference with a mask.
 *
 * @example
 * const faces: FaceReference[] = [
 *   { image: 'her.jpg', region: [0, 0, 0.5, 1] },
 *   { image: 'him.jpg', region: [0.5, 0, 0.5, 1] },
 * ]
 */
export interface FaceReference {
  /** A picture of the person. */
  readonly image: ImageSource;
  /**
   * Where the person is: a box `[x, y, width, height]` in fractions of the picture, from its top left, or a mask: white where
   * they are. Default: the whole picture.
   */
  readonly region?: Box | ImageSource;
  /** Strength, as of a reference. Default 1. */
  readonly scale?: Scale;
  /** Handle or name of an attached adapter. Default: the only one attached. */
  readonly adapter?: Adapter | string;
}

/** What is drawn, in px. */
export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

const { expects } = FACE_REFERENCE.rows.region;
const own = { image: z.unknown(), region: z.unknown(), scale: z.unknown(), adapter: z.unknown() };
const ROUNDING = 1e-6; // thirds do not add up to 1

const boxOf = (values: readonly unknown[], option: string): Box => {
  const isShare = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= 1;
  if (values.length !== 4 || !values.every((value) => typeof value === 'number'))
    throw expectedFor('OPTION_TYPE', option, expects, values, 'Give four numbers such as [0, 0, 0.5, 1]');
  const [x, y, width, height] = values as unknown as Box;
  const isInside = x + width <= 1 + ROUNDING && y + height <= 1 + ROUNDING;
  if (!values.every(isShare) || width === 0 || height === 0 || !isInside) {
    const found = `[${values.join(', ')}]`;
    const hint = 'Keep x + width and y + height at most 1, and neither side 0: they are fractions, not pixels';
    throw expectedFor('OPTION_RANGE', option, 'a box inside the picture', found, hint);
  }
  return [x, y, width, height];
};

/** A mask of the picture's size, white in the box. */
export const boxMask = (
  [x, y, width, height]: Box,
  picture: PictureSize,
  option: string,
): CapturedImage & { readonly kind: 'raw' } => {
  const data = new Uint8Array(picture.width * picture.height);
  const [left, right] = [x, x + width].map((at) => Math.round(at * picture.width));
  const [top, bottom] = [y, y + height].map((at) => Math.round(at * picture.height));
  for (let row = top!; row < bottom!; ++row)
    data.fill(255, row * picture.width + left!, row * picture.width + Math.min(right!, picture.width));
  if (!data.includes(255)) {
    const hint = 'Give a larger box';
    throw expectedFor('OPTION_RANGE', option, 'a box of at least one pixel', `[${[x, y, width, height]}]`, hint);
  }
  return { option, kind: 'raw', data, width: picture.width, height: picture.height, channels: 1 };
};

/** An entry of `faces` as the reference that it is short for; its pictures are copied before this returns. */
export const faceReferenceOf = (
  value: unknown,
  index: number,
  defaultScale: number,
  picture: PictureSize,
): ReferenceSettings => {
  const place = ['faces', index];
  const at = `${optionPath(place)}.region`;
  const { region, ...rest } = readOptions(FACE_REFERENCE, value, own, place, (raw) => {
    if (Array.isArray(raw.region)) raw.region = readPlain(raw.region, at);
  });
  const reference = referenceOf(rest, place, defaultScale);
  if (region === undefined) return reference;
  if (!Array.isArray(region)) return { ...reference, mask: captureImage(region, at) };
  const box = boxOf(region, at);
  return { ...reference, mask: boxMask(box, picture, at), region: box };
};
