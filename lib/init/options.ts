import { z } from 'zod';
import type { PickFace } from '../faces/options.js';
import { type CapturedImage, captureImage, type ImageSource } from '../images/source.js';
import { optionPath } from '../options/check.js';
import { readOptions } from '../options/read.js';
import { defaultOf } from '../options/row.js';
import { type FILLS, INIT, type POSTERIORS } from '../options/table/init.js';
import type { Warn } from '../warnings.js';

/**
 * A picture that a run begins with, and where it is painted anew. Outside the mask the picture stays as it is, byte for byte.
 *
 * @example
 * await pipe.generate({ prompt, init: { image: 'group.png', mask: 'face', maskPadding: 32 }, references: [{ image: 'her.png' }] })
 */
export interface InitOptions {
  /** Resized to `width` and `height`, unless `maskPadding` crops it. */
  readonly image: ImageSource;
  /**
   * How much of the run is done, 0…1: 0 keeps the picture, 1 paints it anew. Default: 0.8 (SD1.5) or 0.3 (SDXL), with mask 1 or
   * 0.9999.
   */
  readonly strength?: number;
  /**
   * Where it is painted anew: white. Any size: it is stretched over the picture. `face`: a soft ellipse, 1.4 times the box of the
   * chosen face, which an attached adapter's face networks find. Default: the whole picture is painted.
   */
  readonly mask?: ImageSource | 'face';
  /**
   * Draw only the part around the mask, with so much of what is beside it in px, 0…512, at full width and height; the result has
   * the picture's own size. Default: the whole picture is drawn.
   */
  readonly maskPadding?: number;
  /** Over how many px inside its edge what was painted fades in, 0…256. Default: 4 with maskPadding, else 0. */
  readonly maskBlur?: number;
  /** What the run begins with where it is painted anew: the picture, noise, or the colours around it. Default `original`. */
  readonly fill?: (typeof FILLS)[number];
  /** Give what was painted the colours of a ring around the mask: mean and spread of each Lab channel. Default false. */
  readonly colorMatch?: boolean;
  /** Which face mask `face` means: a rule, or a place 0…999, best score first. Default `largest`. */
  readonly pickFace?: PickFace;
  /** Whether the picture's latents are drawn from what the VAE says of them, or are its likeliest. Default `sample`. */
  readonly posterior?: (typeof POSTERIORS)[number];
}

/** The same with every default but the strength's filled in, which is the model's. */
export interface InitSettings {
  readonly image: CapturedImage;
  readonly strength: number | undefined;
  readonly mask: CapturedImage | 'face' | undefined;
  readonly maskPadding: number | undefined;
  readonly maskBlur: number;
  readonly fill: NonNullable<InitOptions['fill']>;
  readonly colorMatch: boolean;
  readonly pickFace: PickFace;
  readonly posterior: NonNullable<InitOptions['posterior']>;
  /** Names of those given that act on a mask only. */
  readonly ofMask: readonly string[];
}

const PADDED_BLUR = 4; // px. source: AUTOMATIC1111 web UI, "mask blur"
const OF_MASK = ['maskPadding', 'maskBlur', 'fill', 'colorMatch'] as const;

const own = { image: z.custom<unknown>((given) => given !== undefined, INIT.rows.image.expects), mask: z.unknown() };

/** Checks the option `init`; every buffer in it is copied before this returns. */
export const initOf = (value: unknown): InitSettings | undefined => {
  if (value === undefined) return undefined;
  const place = ['init'];
  const given = readOptions(INIT, value, own, place);
  const captured = (name: 'image' | 'mask'): CapturedImage => captureImage(given[name], optionPath([...place, name]));
  const mask = given.mask === undefined ? undefined : given.mask === 'face' ? 'face' : captured('mask');
  return {
    image: captured('image'),
    strength: given.strength,
    mask,
    maskPadding: given.maskPadding,
    maskBlur: given.maskBlur ?? (given.maskPadding === undefined ? 0 : PADDED_BLUR),
    fill: given.fill ?? defaultOf(INIT, 'fill'),
    colorMatch: given.colorMatch ?? defaultOf(INIT, 'colorMatch'),
    pickFace: given.pickFace ?? defaultOf(INIT, 'pickFace'),
    posterior: given.posterior ?? defaultOf(INIT, 'posterior'),
    ofMask: [...(mask === undefined ? OF_MASK : []), ...(mask === 'face' ? [] : (['pickFace'] as const))].filter(
      (name) => given[name] !== undefined,
    ),
  };
};

/** Warns of what cannot act. */
export const warnOfInit = ({ ofMask, mask }: InitSettings, warn: Warn): void => {
  for (const name of ofMask) {
    const needs = name === 'pickFace' && mask !== undefined ? 'init.mask is no "face"' : 'there is no init.mask';
    warn('OPTION_CONFLICT', `init.${name} has no effect: ${needs}`);
  }
};
