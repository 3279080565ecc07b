import type { Pixels } from '../native/types.js';
import { jpegWithExif, webpWithExif } from './exif.js';
import { metadataExif, metadataTexts, type RunRecord } from './metadata.js';
import { type OutputFormat, Picture } from './picture.js';
import { withTexts } from './png.js';

/** A seed as a number where that is exact. */
export const seedValue = (seed: bigint): number | bigint =>
  seed <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(seed) : seed;

/**
 * A picture that a run has drawn.
 *
 * @example
 * const { images } = await pipe.generate({ prompt: 'portrait of a man' })
 * await images[0]!.toFile('portrait.png')
 */
export class GeneratedImage extends Picture {
  /** A number where it is safe, else a BigInt. */
  readonly seed: number | bigint;
  /** How it was made. */
  readonly metadata: RunRecord;
  readonly #writesMetadata: boolean;

  /** Made by `generate`; not called by users. */
  constructor(pixels: Pixels, seed: bigint, metadata: RunRecord, writesMetadata: boolean) {
    super(pixels);
    this.seed = seedValue(seed);
    this.metadata = metadata;
    this.#writesMetadata = writesMetadata;
  }

  /**
   * The bytes of a file; it carries the metadata (JPEG and WebP in EXIF) unless the run had `metadata: false`. Default format `png`.
   *
   * @example
   * response.end(await image.toBuffer('webp'))
   */
  override async toBuffer(format: OutputFormat = 'png'): Promise<Buffer> {
    const file = await super.toBuffer(format);
    if (!this.#writesMetadata) return file;
    if (format === 'png') return withTexts(file, metadataTexts(this.metadata));
    const block = metadataExif(this.metadata);
    return format === 'jpeg' ? jpegWithExif(file, block) : webpWithExif(file, block, this.width, this.height);
  }
}
