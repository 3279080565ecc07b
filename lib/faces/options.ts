import type { ImageOptions } from '../images/limits.js';
import { readOptions } from '../options/read.js';
import { defaultOf } from '../options/row.js';
import { FACE_FILES } from '../options/table/face.js';

/**
 * Which faces of a picture are meant, when there are several: by rule, or by place in the detector's order (best score first).
 * `best` is large, surely found, frontal and sharp.
 */
export type PickFace = 'largest' | 'best' | 'score' | 'center' | 'left' | 'only' | 'all' | number;

/** Files of a face detector and a face recogniser (ONNX). */
export interface FaceFiles {
  readonly detector: string;
  readonly recognizer: string;
  /** Side of the detector's canvas in px, 32…4,096, a multiple of 32. Default `auto`: the family's own, else 640 and then smaller ones. */
  readonly detSize?: 'auto' | number;
  /** Lowest score of a face, 0…1. Default 0.5. */
  readonly detThreshold?: number;
}

/**
 * How a FaceAnalyzer is loaded.
 *
 * @example
 * const analyzer = await FaceAnalyzer.load(files, { threads: 2 })
 */
export interface AnalyzerOptions {
  /** 1…256. Default: the cores that this process may use. `IPA_THREADS` sets it from outside. */
  readonly threads?: number;
  /** How pictures that come in are read. */
  readonly images?: ImageOptions;
  readonly signal?: AbortSignal;
}

/**
 * How one face is measured.
 *
 * @example
 * const face = await analyzer.identity('person.jpg', { pickFace: 'only' })
 */
export interface IdentityOptions {
  /** Which face of a picture with several: a rule, or a place 0…999, best score first. Default `largest`. */
  readonly pickFace?: PickFace;
  /** Side of the close-up in px, 112…1,024, a multiple of 112 or 128. Default 224. */
  readonly faceCrop?: number;
  readonly signal?: AbortSignal;
}

export interface FaceSettings {
  readonly detector: string;
  readonly recognizer: string;
  readonly detSize: 'auto' | number;
  readonly detThreshold: number;
}

export const faceSettings = (options: unknown, where = ''): FaceSettings => {
  const given = readOptions(FACE_FILES, options, {}, where === '' ? [] : [where]);
  return {
    detector: given.detector,
    recognizer: given.recognizer,
    detSize: given.detSize ?? defaultOf(FACE_FILES, 'detSize'),
    detThreshold: given.detThreshold ?? defaultOf(FACE_FILES, 'detThreshold'),
  };
};
