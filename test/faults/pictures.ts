// Makes the pictures of the rows, and twins that must count as the same picture.
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { crc32 } from '../../lib/images/png.js';
import { type FileRecipe, located, recipeBytes } from './files.js';

/** How a bad picture is made. */
export type ImageRecipe =
  | FileRecipe
  /** A PNG file whose header declares this size; its pixels are not all there. */
  | { readonly declares: { readonly width: number; readonly height: number; readonly depth: 8 | 16 } }
  /** A grey PNG of this size, whole. */
  | { readonly grey: readonly [number, number] }
  /** The value itself: a path, an address, raw pixels of that many bytes. */
  | { readonly value: unknown }
  | { readonly raw: { readonly bytes: number; readonly width: number; readonly height: number; readonly channels: number } };

const chunk = (type: string, data: Buffer): Buffer => {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
};

const declaring = (width: number, height: number, depth: number): Buffer => {
  const RGBA = 6; // PNG's colour type
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, RGBA], 8);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.alloc(1000))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
};

/** What a row gives as `image`. */
export const makeImage = async (recipe: ImageRecipe): Promise<unknown> => {
  if ('value' in recipe) return recipe.value;
  if ('raw' in recipe) {
    const { bytes, ...size } = recipe.raw;
    return { data: new Uint8Array(bytes), ...size };
  }
  if ('declares' in recipe) return declaring(recipe.declares.width, recipe.declares.height, recipe.declares.depth);
  if ('grey' in recipe) {
    const [width, height] = recipe.grey;
    return sharp({ create: { width, height, channels: 3, background: '#777777' } })
      .png()
      .toBuffer();
  }
  return recipeBytes(recipe);
};

interface Rgb {
  readonly data: Buffer;
  readonly width: number;
  readonly height: number;
}

const readRgb = async (path: string): Promise<Rgb> => {
  const { data, info } = await sharp(path).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height };
};

/** Where the pixel at column x, row y of the stored picture shows, for an EXIF orientation. `w`, `h`: of the upright one. */
const SHOWN: Readonly<Record<number, (x: number, y: number, w: number, h: number) => readonly [number, number]>> = {
  1: (x, y) => [x, y],
  2: (x, y, w) => [w - 1 - x, y],
  3: (x, y, w, h) => [w - 1 - x, h - 1 - y],
  4: (x, y, _, h) => [x, h - 1 - y],
  5: (x, y) => [y, x],
  6: (x, y, w) => [w - 1 - y, x],
  7: (x, y, w, h) => [w - 1 - y, h - 1 - x],
  8: (x, y, _, h) => [y, h - 1 - x],
};

/** A lossless picture whose pixels are turned and whose EXIF says so: it shows what the file at `path` shows. */
export const turnedTwin = async (path: string, orientation: number, scratch: string): Promise<string> => {
  const upright = await readRgb(path);
  const swaps = orientation >= 5;
  const [width, height] = swaps ? [upright.height, upright.width] : [upright.width, upright.height];
  const data = Buffer.alloc(upright.data.length);
  for (let y = 0; y < height; ++y) {
    for (let x = 0; x < width; ++x) {
      const [shownX, shownY] = SHOWN[orientation]!(x, y, upright.width, upright.height);
      const from = 3 * (shownY * upright.width + shownX);
      upright.data.copy(data, 3 * (y * width + x), from, from + 3);
    }
  }
  const target = join(scratch, `turned-${orientation}.webp`);
  await sharp(data, { raw: { width, height, channels: 3 } })
    .withMetadata({ orientation })
    .webp({ lossless: true })
    .toFile(target);
  return target;
};

/** Two files: one with its upper half transparent, and one with that half white. */
export const transparentTwins = async (path: string, scratch: string): Promise<readonly [string, string]> => {
  const { data, width, height } = await readRgb(path);
  const [clear, plain] = [Buffer.alloc(4 * width * height), Buffer.from(data)];
  for (let i = 0; i < width * height; ++i) {
    const isClear = i < (width * height) / 2;
    data.copy(clear, 4 * i, 3 * i, 3 * i + 3);
    clear[4 * i + 3] = isClear ? 0 : 255;
    if (isClear) plain.fill(255, 3 * i, 3 * i + 3);
  }
  const [withAlpha, without] = [join(scratch, 'clear.png'), join(scratch, 'plain.png')];
  await sharp(clear, { raw: { width, height, channels: 4 } }).png().toFile(withAlpha);
  await sharp(plain, { raw: { width, height, channels: 3 } }).png().toFile(without);
  return [withAlpha, without];
};

export const referencePath = (name: string): string => located(`sketch/references/${name}`);
