import type { Pixels } from '../native/types.js';

/** A window of a picture in px, which may reach beyond it. */
export interface Window {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** The window of a picture; what lies outside is filled from the nearest edge. */
export const cut = (image: Pixels, { left, top, width, height }: Window): Pixels => {
  const data = new Uint8Array(width * height * 3);
  const inside = (at: number, side: number): number => Math.min(Math.max(at, 0), side - 1);
  for (let y = 0; y < height; ++y) {
    const row = inside(top + y, image.height) * image.width;
    for (let x = 0; x < width; ++x) {
      const from = (row + inside(left + x, image.width)) * 3;
      data.set(image.data.subarray(from, from + 3), (y * width + x) * 3);
    }
  }
  return { width, height, data };
};

/** The same window of a mask that is stretched over a picture, whatever its own size. */
export const cutAlike = (
  mask: Pixels,
  picture: Pick<Pixels, 'width' | 'height'>,
  { left, top, width, height }: Window,
): Pixels => {
  const [across, down] = [mask.width / picture.width, mask.height / picture.height];
  return cut(mask, {
    left: Math.round(left * across),
    top: Math.round(top * down),
    width: Math.max(1, Math.round(width * across)),
    height: Math.max(1, Math.round(height * down)),
  });
};
