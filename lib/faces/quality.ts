import type { DetectedFace, Pixels } from '../native/types.js';

// How well a face can be recognised, by what one picture shows. source: spec of this project's face analysis, 5.1 and 6; the
// weights of the parts are its own, the measures are common ones.

const NOSE = 0.55; // how far a nose stands out, in eye distances
const FULL_SIZE = 70; // px between the eyes: as many as in the close-up that an image encoder reads
const FULL_TURN = 45; // degrees
const FULL_SHARPNESS = 150; // 24 untouched faces had a median of 259, blurred by 1 px of 54
const CENTRE = 0.6; // part of the close-up's side that is looked at: the face without hair and background

/** Distance of the eyes in px of the picture. */
export const eyeDistance = ([x0, y0, x1, y1]: readonly number[]): number => Math.hypot(x1! - x0!, y1! - y0!);

/** Degrees by which a head is turned to a side, from where the nose lies between the eyes; a tilt does not count. */
export const yawOf = ([x0, y0, x1, y1, noseX, noseY]: readonly number[]): number => {
  const [dx, dy] = [x1! - x0!, y1! - y0!];
  const square = dx * dx + dy * dy;
  if (square === 0) return 90; // both eyes in one place: a profile
  const along = ((noseX! - (x0! + x1!) / 2) * dx + (noseY! - (y0! + y1!) / 2) * dy) / square;
  return (Math.atan(along / NOSE) * 180) / Math.PI;
};

/**
 * Variance of the luma's Laplacian of four neighbours in the middle of a close-up: little where a face is blurred or enlarged.
 * source: Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy", the measure LAPV
 */
export const sharpnessOf = ({ data, width, height }: Pixels): number => {
  const luma = (x: number, y: number): number => {
    const at = 3 * (y * width + x);
    return 0.299 * data[at]! + 0.587 * data[at + 1]! + 0.114 * data[at + 2]!; // source: ITU-R BT.601
  };
  const border = (side: number): number => Math.max(1, Math.round((side * (1 - CENTRE)) / 2));
  const [left, top] = [border(width), border(height)];
  let [sum, squares, count] = [0, 0, 0];
  for (let y = top; y < height - top; ++y) {
    for (let x = left; x < width - left; ++x) {
      const value = luma(x - 1, y) + luma(x + 1, y) + luma(x, y - 1) + luma(x, y + 1) - 4 * luma(x, y);
      sum += value;
      squares += value * value;
      count += 1;
    }
  }
  return count === 0 ? 0 : squares / count - (sum / count) ** 2;
};

/** 0…1 for a face and its aligned close-up of 112 px: large, surely found, frontal, sharp. */
export const qualityOf = ({ score, landmarks }: DetectedFace, closeUp: Pixels): number => {
  const size = Math.min(1, eyeDistance(landmarks) / FULL_SIZE);
  const frontal = 1 - Math.min(1, Math.abs(yawOf(landmarks)) / FULL_TURN);
  const sharp = Math.min(1, sharpnessOf(closeUp) / FULL_SHARPNESS);
  return 0.3 * size + 0.25 * Math.min(1, Math.max(0, score)) + 0.25 * frontal + 0.2 * sharp;
};
