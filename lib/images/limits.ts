import { z } from 'zod';
import { checked, type Names, readOnce } from '../options/check.js';
import { DEFAULTS } from '../options/defaults.js';
import { whole } from '../options/schemas.js';

/** How pictures are read. */
export interface ImageLimits {
  readonly background: string;
  readonly maxPixels: number;
}

export const imageLimits: ImageLimits = { background: DEFAULTS.background, maxPixels: DEFAULTS.maxPixels };

const imagesShape = {
  background: z
    .string('a colour such as "#ffffff"')
    .regex(/^#[0-9a-f]{6}$/i, 'a colour such as "#ffffff"')
    .optional(),
  maxPixels: whole(256, 2 ** 31 - 1).optional(),
};
const IMAGES: Names = { known: Object.keys(imagesShape), later: ['formats'] };

/** The option `images` with its defaults. */
export const imageLimitsOf = (value: unknown): ImageLimits =>
  value === undefined
    ? imageLimits
    : { ...imageLimits, ...checked(z.object(imagesShape), readOnce(value, 'images', IMAGES), ['images']) };
