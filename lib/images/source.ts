import { fileURLToPath } from 'node:url';
import { types } from 'node:util';
import type { Sharp } from 'sharp';
import { quoted } from '../errors.js';
import { expectedFor } from '../options/check.js';
import { fromDataUrl, looksLikeBase64 } from './data-url.js';
import { type CapturedImage, type RawImage, refuse } from './source-parts.js';

export type { CapturedImage, ImageSource, RawImage } from './source-parts.js';

const blocked = (option: string, scheme: string): never =>
  refuse(
    'IMAGE_URL_BLOCKED',
    option,
    `pictures are not fetched from ${scheme} addresses`,
    'Fetch it first: Buffer.from(await (await fetch(url)).arrayBuffer())',
    { found: scheme },
  );

const fromText = (text: string, option: string): CapturedImage => {
  const scheme = /^(data|blob|[a-z][a-z0-9+.-]+(?=:\/\/)):/i.exec(text)?.[1]?.toLowerCase();
  if (scheme === 'file') return fromUrl(new URL(text), option);
  if (scheme === 'data') return fromDataUrl(text, option);
  if (scheme !== undefined) return blocked(option, `${scheme}:`);
  if (text === '' || text.includes('\0'))
    return refuse('IMAGE_EMPTY', option, `${quoted(text)} is no path`, 'Give the path of a picture');
  if (looksLikeBase64(text))
    return refuse(
      'IMAGE_FORMAT',
      option,
      `${text.length} characters of base64 are no path`,
      "this looks like base64: pass Buffer.from(text, 'base64')",
    );
  return { option, kind: 'file', path: text };
};

const fromUrl = (url: URL, option: string): CapturedImage => {
  if (url.protocol === 'data:') return fromDataUrl(url.href, option);
  if (url.protocol !== 'file:') return blocked(option, url.protocol);
  try {
    return { option, kind: 'file', path: fileURLToPath(url) };
  } catch (cause) {
    return refuse(
      'IMAGE_URL_BLOCKED',
      option,
      `${quoted(url.href)} is no file of this machine`,
      'Give a path',
      {},
      cause,
    );
  }
};

const isSharp = (value: object): value is Sharp =>
  ['clone', 'metadata', 'toBuffer'].every((method) => typeof (value as Record<string, unknown>)[method] === 'function');

/** trap: `instanceof` would refuse the arrays of another realm, such as those of a file that Jest runs. */
const isBytes = (value: unknown): value is Uint8Array | Uint8ClampedArray =>
  types.isUint8Array(value) || types.isUint8ClampedArray(value);

/** A copy of the bytes a view shows: of a detached buffer none, of a shared one as they are now. */
const copied = (view: Uint8Array | Uint8ClampedArray): Uint8Array =>
  view.length === 0 ? new Uint8Array(0) : Uint8Array.from(view); // trap: copying a detached one throws

const fromRaw = (value: object, option: string): CapturedImage => {
  const { data, width, height, channels } = value as Partial<RawImage>; // read once
  if (!isBytes(data)) {
    throw expectedFor(
      'OPTION_TYPE',
      `${option}.data`,
      'a Uint8Array of pixels',
      data,
      'Give 8-bit pixels, or the bytes of a PNG file',
    );
  }
  const isSide = (side: unknown): side is number => Number.isInteger(side) && (side as number) > 0;
  if (!isSide(width) || !isSide(height)) {
    throw expectedFor(
      'OPTION_TYPE',
      option,
      'whole numbers for width and height',
      isSide(width) ? height : width,
      'Give the size in pixels',
    );
  }
  if (channels !== 1 && channels !== 2 && channels !== 3 && channels !== 4) {
    return refuse(
      'IMAGE_CHANNELS',
      option,
      `expected 1, 2, 3 or 4 channels but received ${String(channels)}`,
      'Give grey, RGB or RGBA pixels',
      { found: channels },
    );
  }
  const bytes = copied(data);
  const expected = width * height * channels;
  if (bytes.length !== expected) {
    return refuse(
      'IMAGE_CHANNELS',
      option,
      `${width} × ${height} pixels of ${channels} channels are ${expected} bytes, data has ${bytes.length}`,
      'Give width, height and channels of this very buffer',
      { expected, found: bytes.length },
    );
  }
  return { option, kind: 'raw', data: bytes, width, height, channels };
};

/** Takes hold of a caller's picture without waiting: bytes are copied now. `option` names it in errors. */
export const captureImage = (value: unknown, option: string): CapturedImage => {
  if (typeof value === 'string') return fromText(value, option);
  if (typeof value === 'object' && value !== null) {
    if (value instanceof URL) return fromUrl(value, option);
    if (isBytes(value)) return { option, kind: 'encoded', bytes: copied(value) };
    if (types.isArrayBuffer(value)) return { option, kind: 'encoded', bytes: copied(new Uint8Array(value)) };
    if (value instanceof Blob) return { option, kind: 'blob', blob: value };
    if (isSharp(value)) return { option, kind: 'sharp', sharp: value.clone() };
    if ('data' in value) return fromRaw(value, option);
  }
  throw expectedFor(
    'OPTION_TYPE',
    option,
    'a path, the bytes of a picture, a sharp instance or raw pixels',
    value,
    'Give a picture',
  );
};
