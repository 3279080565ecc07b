import type { Sharp } from 'sharp';
import { type ErrorCode, ImageInputError } from '../errors.js';

/** The largest file of a picture that is read, in bytes. */
export const MAX_FILE = 256 * 2 ** 20;

/** Pixels in memory: 8 bit, interleaved, 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA) channels. */
export interface RawImage {
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 2 | 3 | 4;
}

/** A picture that comes in: a path, a `file:` URL, the bytes of a JPEG, PNG or WebP file, a sharp instance, or raw pixels. */
export type ImageSource = string | URL | Uint8Array | ArrayBuffer | Blob | Sharp | RawImage;

/** A source whose memory is ours already: later changes by the caller have no effect. */
export type CapturedImage = { readonly option: string } & (
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'encoded'; readonly bytes: Uint8Array }
  | { readonly kind: 'blob'; readonly blob: Blob }
  | { readonly kind: 'sharp'; readonly sharp: Sharp }
  | {
      readonly kind: 'raw';
      readonly data: Uint8Array;
      readonly width: number;
      readonly height: number;
      readonly channels: 1 | 2 | 3 | 4;
    }
);

/** Throws the error of a picture. */
export const refuse = (
  code: Extract<ErrorCode, `IMAGE_${string}`>,
  option: string,
  message: string,
  hint: string,
  details: object = {},
  cause?: unknown,
): never => {
  throw new ImageInputError(code, `${option}: ${message}`, hint, {
    details: { option, ...details },
    ...(cause === undefined ? {} : { cause }),
  });
};
