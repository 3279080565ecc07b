// Pictures as the addon takes and gives them.

/** Pixels in memory, interleaved RGB, 8 bit. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

export interface DetectedFace {
  readonly score: number;
  /** x1, y1, x2, y2 in pixels of the picture. */
  readonly box: readonly [number, number, number, number];
  /** image-left eye, image-right eye, nose, image-left and image-right mouth corner: x, y each. */
  readonly landmarks: readonly number[];
}
