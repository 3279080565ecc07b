import { extname } from 'node:path';
import type { Sharp } from 'sharp';
import { nearest, OptionError, quoted } from '../errors.js';
import type { Pixels } from '../native/types.js';
import { readOptions } from '../options/read.js';
import { defaultOf } from '../options/row.js';
import { pathOf } from '../options/schemas.js';
import { TO_FILE } from '../options/table/small.js';
import { lazySharp } from './lazy-sharp.js';
import { writeWhole } from './output-file.js';

/** File formats that pictures are written in. */
export type OutputFormat = 'png' | 'jpeg' | 'webp';

const FORMATS: Readonly<Record<string, OutputFormat>> = {
  '.png': 'png',
  '.jpg': 'jpeg',
  '.jpeg': 'jpeg',
  '.webp': 'webp',
};
const QUALITY = 95; // of JPEG and WebP, percent

const formatOf = (path: string): OutputFormat => {
  const ending = extname(path).toLowerCase();
  const format = Object.hasOwn(FORMATS, ending) ? FORMATS[ending] : undefined;
  if (format) return format;
  throw new OptionError(
    'OPTION_UNKNOWN',
    `There is no picture format with the ending ${quoted(ending)}`,
    `Use one of ${Object.keys(FORMATS).join(', ')}`,
    { details: { option: 'path', found: ending } },
  );
};

const checkedFormat = (format: unknown): OutputFormat => {
  const names = ['png', 'jpeg', 'webp'] as const;
  const found = names.find((name) => name === format);
  if (found) return found;
  const near = typeof format === 'string' ? nearest(format, names) : undefined;
  throw new OptionError(
    'OPTION_UNKNOWN',
    `There is no format ${quoted(String(format))}`,
    near ? `Did you mean "${near}"?` : `Use one of ${names.join(', ')}`,
    { details: { option: 'format' } },
  );
};

/**
 * Pixels that can be written: what a run shows of itself, and what it has drawn.
 *
 * @example
 * if (event.type === 'preview') await event.image.toFile('so-far.jpg', { overwrite: true })
 */
export class Picture {
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  /** RGB, 8 bit, interleaved: [height, width, 3]. */
  readonly data: Uint8Array;

  /** Made by runs; not called by users. */
  constructor(pixels: Pixels) {
    this.width = pixels.width;
    this.height = pixels.height;
    this.data = pixels.data;
  }

  /**
   * The bytes of a file. Default format `png`.
   *
   * @example
   * response.end(await image.toBuffer('webp'))
   */
  async toBuffer(format: OutputFormat = 'png'): Promise<Buffer> {
    const kind = checkedFormat(format);
    const sharp = this.toSharp();
    if (kind === 'jpeg') return sharp.jpeg({ quality: QUALITY, chromaSubsampling: '4:4:4' }).toBuffer();
    if (kind === 'webp') return sharp.webp({ quality: QUALITY }).toBuffer();
    return sharp.png().toBuffer();
  }

  /**
   * Writes a file, whole or not at all; the ending of its name gives the format. An existing file is OUTPUT_EXISTS unless
   * `overwrite` is true.
   *
   * @example
   * await image.toFile('out/portrait.png', { overwrite: true })
   */
  async toFile(path: string, options: { readonly overwrite?: boolean } = {}): Promise<void> {
    const target = pathOf(path, 'path');
    const { overwrite } = readOptions(TO_FILE, options, {});
    await writeWhole(target, await this.toBuffer(formatOf(target)), overwrite ?? defaultOf(TO_FILE, 'overwrite'));
  }

  /**
   * The picture as a sharp instance, for further work.
   *
   * @example
   * await image.toSharp().resize(256).toFile('small.avif')
   */
  toSharp(): Sharp {
    return lazySharp()(this.data, { raw: { width: this.width, height: this.height, channels: 3 } });
  }
}
