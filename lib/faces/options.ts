import { z } from 'zod';
import { checked, expectedFor, type Names, readOnce } from '../options/check.js';
import { path, real } from '../options/schemas.js';

/** Which faces of a picture are meant, when there are several: by rule, or by place in the detector's order (best first). */
export type PickFace = 'largest' | 'score' | 'center' | 'left' | 'only' | 'all' | number;

export const pickFaceSchema: z.ZodType<PickFace> = z.union(
  [z.enum(['largest', 'score', 'center', 'left', 'only', 'all']), z.int().min(0).max(999)],
  'largest, score, center, left, only, all or an index from 0 to 999',
);

/** Files of a face detector and a face recogniser (ONNX). */
export interface FaceFiles {
  readonly detector: string;
  readonly recognizer: string;
  /** Side of the detector's canvas, a multiple of 32. Default `auto`: the family's own, else 640 and then smaller ones. */
  readonly detSize?: 'auto' | number;
  /** Lowest score of a face, 0…1. Default 0.5. */
  readonly detThreshold?: number;
}

const faceShape = {
  detector: path,
  recognizer: path,
  detSize: z.unknown().optional(),
  detThreshold: real(0, 1).optional(),
};
const FACE: Names = { known: Object.keys(faceShape), later: ['pickFace', 'warpFilter', 'maxNum'] };

export interface FaceSettings {
  readonly detector: string;
  readonly recognizer: string;
  readonly detSize: 'auto' | number;
  readonly detThreshold: number;
}

const detSizeOf = (given: unknown, option: string): 'auto' | number => {
  if (given === undefined || given === 'auto') return 'auto';
  const legal =
    typeof given === 'number' && Number.isInteger(given) && given >= 32 && given <= 4096 && given % 32 === 0;
  if (legal) return given;
  throw expectedFor(
    typeof given === 'number' ? 'OPTION_RANGE' : 'OPTION_TYPE',
    option,
    '"auto" or a multiple of 32 from 32 to 4096',
    given,
  );
};

export const faceSettings = (options: unknown, where = ''): FaceSettings => {
  const given = checked(z.object(faceShape), readOnce(options, where, FACE), where === '' ? [] : [where]);
  return {
    detector: given.detector,
    recognizer: given.recognizer,
    detSize: detSizeOf(given.detSize, where === '' ? 'detSize' : `${where}.detSize`),
    detThreshold: given.detThreshold ?? 0.5,
  };
};
