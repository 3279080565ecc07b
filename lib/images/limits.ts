import { z } from 'zod';
import { readList } from '../options/check.js';
import { readOptions } from '../options/read.js';
import { defaultOf } from '../options/row.js';
import { IMAGES, MORE_FORMATS } from '../options/table/load.js';

/** Formats of pictures that are taken when the option `images.formats` names them. */
export type MoreFormat = (typeof MORE_FORMATS)[number];

/**
 * How pictures that come in are read.
 *
 * @example
 * const pipe = await Pipeline.load(path, { images: { formats: ['gif', 'avif'] } })
 */
export interface ImageOptions {
  /** The colour behind transparent pictures. Default `#ffffff`. */
  readonly background?: string;
  /** The most pixels of a picture, 256…2,147,483,647. Default 33,554,432 (8192 × 4096). */
  readonly maxPixels?: number;
  /**
   * Formats that are taken beside JPEG, PNG and WebP. Default: none of them. Of an animation the first frame is taken, an
   * SVG is drawn in its own size; whoever takes pictures from strangers should know that each is one more decoder.
   */
  readonly formats?: readonly MoreFormat[];
}

/** How pictures are read, with every default filled in. */
export interface ImageLimits {
  readonly background: string;
  readonly maxPixels: number;
  readonly formats: readonly MoreFormat[];
}

const COLOUR = 'a colour such as "#ffffff"';
const own = {
  background: z.string(COLOUR).regex(/^#[0-9a-f]{6}$/i, COLOUR),
  formats: z.array(z.enum(MORE_FORMATS, `one of ${MORE_FORMATS.join(', ')}`)),
};

/** The option `images` with its defaults. */
export const imageLimitsOf = (value: unknown = {}): ImageLimits => {
  const given = readOptions(IMAGES, value, own, ['images'], (raw) => {
    if (raw.formats !== undefined && !(Array.isArray(raw.formats) && raw.formats.length === 0))
      raw.formats = readList(raw.formats, 'images.formats', MORE_FORMATS.length);
  });
  return {
    background: given.background ?? defaultOf(IMAGES, 'background'),
    maxPixels: given.maxPixels ?? defaultOf(IMAGES, 'maxPixels'),
    formats: given.formats ?? [],
  };
};
