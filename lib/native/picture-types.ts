// What the addon finds in pictures.

export interface DetectedFace {
  readonly score: number;
  /** x1, y1, x2, y2 in pixels of the picture. */
  readonly box: readonly [number, number, number, number];
  /** image-left eye, image-right eye, nose, image-left and image-right mouth corner: x, y each. */
  readonly landmarks: readonly number[];
}
