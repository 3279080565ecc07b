import { readFile, stat } from 'node:fs/promises';
import { types } from 'node:util';
import type { Sharp } from 'sharp';
import { ImageInputError, quoted } from '../errors.js';
import type { Pixels } from '../native/types.js';
import { formatOf } from './formats.js';
import { lazySharp } from './lazy-sharp.js';
import type { ImageLimits } from './limits.js';
import { type CapturedImage, MAX_FILE, refuse } from './source-parts.js';

/** Shortest side of a picture that comes in, in px. */
export const MIN_SIDE = 16;
const DECODE_SECONDS = 10;

/** The bytes of a picture's file. Raw pixels and sharp instances are none: IMAGE_FORMAT. */
export const encodedBytes = async (image: CapturedImage): Promise<Uint8Array> => {
  const { option } = image;
  if (image.kind === 'encoded') return image.bytes;
  if (image.kind === 'blob') return new Uint8Array(await image.blob.arrayBuffer());
  if (image.kind !== 'file')
    return refuse('IMAGE_FORMAT', option, 'raw pixels are no file', 'Give a path or the bytes of a file');
  const { path } = image;
  try {
    const facts = await stat(path);
    // trap: reading a FIFO or a device would wait for ever
    if (!facts.isFile())
      return refuse('IMAGE_FORMAT', option, `${quoted(path)} is not a file`, 'Give the path of a picture', { path });
    if (facts.size > MAX_FILE) {
      return refuse(
        'IMAGE_TOO_LARGE',
        option,
        `${quoted(path)} has ${facts.size} bytes, at most ${MAX_FILE} are read`,
        'Save it smaller',
        { path },
      );
    }
    return await readFile(path);
  } catch (cause) {
    if (cause instanceof ImageInputError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    return refuse(
      'IMAGE_EMPTY',
      option,
      `${quoted(path)} cannot be read (${code})`,
      'Check the path and its permissions',
      { path },
      cause,
    );
  }
};

// At most two decodes at once: each may hold some 100 MB
let decoding = 0;
const waiting: (() => void)[] = [];
const oneOfTwo = async <T>(work: () => Promise<T>): Promise<T> => {
  if (decoding >= 2) await new Promise<void>((resolve) => waiting.push(resolve));
  else decoding += 1;
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else decoding -= 1;
  }
};

const checkSize = (option: string, width: number, height: number, maxPixels: number): void => {
  if (width * height > maxPixels) {
    refuse(
      'IMAGE_TOO_LARGE',
      option,
      `${width} × ${height} pixels are more than ${maxPixels}`,
      'Make it smaller, or raise images.maxPixels when loading',
      { width, height, expected: maxPixels },
    );
  }
  if (width < MIN_SIDE || height < MIN_SIDE) {
    refuse(
      'IMAGE_TOO_SMALL',
      option,
      `${width} × ${height} pixels are too few, each side needs ${MIN_SIDE}`,
      'Give a larger picture',
      { width, height, expected: MIN_SIDE },
    );
  }
};

/** EXIF turn applied, sRGB, 8 bit, alpha over the background: [H, W, 3]. */
const normalForm = async (input: Sharp, background: string, option: string): Promise<Pixels> => {
  try {
    const upright = input
      .timeout({ seconds: DECODE_SECONDS })
      .autoOrient()
      .flatten({ background })
      .toColourspace('srgb');
    const { data, info } = await upright.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    if (info.channels !== 3)
      refuse(
        'IMAGE_CHANNELS',
        option,
        `expected 3 channels after decoding, found ${info.channels}`,
        'Save it as an RGB PNG',
      );
    return { width: info.width, height: info.height, data: new Uint8Array(data.buffer, data.byteOffset, data.length) };
  } catch (cause) {
    if (cause instanceof ImageInputError) throw cause;
    const reason = types.isNativeError(cause) ? cause.message.split('\n')[0]! : String(cause);
    return refuse(
      'IMAGE_CORRUPT',
      option,
      `the picture is damaged: ${quoted(reason)}`,
      'Save or download it again',
      { reason },
      cause,
    );
  }
};

const decodeBytes = async (
  bytes: Uint8Array,
  { background, maxPixels, formats }: ImageLimits,
  option: string,
): Promise<Pixels> => {
  if (bytes.length === 0) return refuse('IMAGE_EMPTY', option, 'the picture has no bytes', 'Save or download it again');
  // trap: libvips would also open PDF and others, which can read further files; only what is allowed is handed to it
  const { name, format } = formatOf(bytes);
  if (format !== 'plain' && !(format && formats.includes(format))) {
    return refuse(
      'IMAGE_FORMAT',
      option,
      `the file is ${name}, expected ${['JPEG', 'PNG', 'WebP', ...formats].join(', ')}`,
      `Save it as PNG or JPEG${format ? `, or allow it with images.formats: ['${format}'] when loading` : ''}`,
      { found: name },
    );
  }
  const open = (): Sharp =>
    lazySharp()(bytes, { failOn: 'warning', limitInputPixels: false, limitInputChannels: 5, pages: 1 });
  const header = await open()
    .metadata()
    .catch((cause: unknown) => {
      const reason = types.isNativeError(cause) ? cause.message.split('\n')[0]! : String(cause);
      return refuse(
        'IMAGE_CORRUPT',
        option,
        `the picture's header is damaged: ${quoted(reason)}`,
        'Save or download it again',
        { reason },
        cause,
      );
    });
  checkSize(option, header.width, header.pageHeight ?? header.height, maxPixels);
  return oneOfTwo(() => normalForm(open(), background, option));
};

/** The picture in normal form: upright, sRGB, 8 bit, no alpha. */
export const decodeImage = async (image: CapturedImage, limits: ImageLimits): Promise<Pixels> => {
  const { option } = image;
  if (image.kind === 'raw') {
    const { data, width, height, channels } = image;
    checkSize(option, width, height, limits.maxPixels);
    if (channels === 3) return { width, height, data };
    return oneOfTwo(() =>
      normalForm(
        lazySharp()(data, { raw: { width, height, channels }, limitInputPixels: false }),
        limits.background,
        option,
      ),
    );
  }
  if (image.kind === 'sharp') {
    const pixels = await oneOfTwo(() => normalForm(image.sharp, limits.background, option));
    checkSize(option, pixels.width, pixels.height, limits.maxPixels);
    return pixels;
  }
  return decodeBytes(await encodedBytes(image), limits, option);
};
