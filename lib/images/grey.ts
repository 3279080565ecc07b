import type { Pixels } from '../native/types.js';
import { lazySharp } from './lazy-sharp.js';

/** Weights of red, green and blue in a grey. source: ITU-R BT.601, as Pillow's mode L */
const LUMA: [number, number, number] = [0.299, 0.587, 0.114];

/** A picture as grey values, one byte a pixel. */
export const greyOf = async ({ width, height, data }: Pixels): Promise<Uint8Array> =>
  lazySharp()(data, { raw: { width, height, channels: 3 }, limitInputPixels: false })
    .recomb([LUMA, LUMA, LUMA])
    .extractChannel(0)
    .raw()
    .toBuffer();
