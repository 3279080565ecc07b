import { FaceError } from '../errors.js';
import type { DetectedFace } from '../native/types.js';
import type { PickFace } from './options.js';

/** What a search for faces gave: faces in pixels of the picture, best score first. */
export interface FaceSearch {
  readonly faces: readonly DetectedFace[];
  /** Side of the canvas that found them. */
  readonly size: number;
  readonly tried: readonly string[];
  readonly width: number;
  readonly height: number;
}

type Box = DetectedFace['box'];

const area = ([x1, y1, x2, y2]: Box): number => (x2 - x1) * (y2 - y1);
const centre = ([x1, y1, x2, y2]: Box): readonly [number, number] => [(x1 + x2) / 2, (y1 + y2) / 2];

/** The face for which `value` is least; of equals the one of the better score. */
const leastBy = (faces: readonly DetectedFace[], value: (face: DetectedFace) => number): DetectedFace =>
  faces.reduce((best, face) => (value(face) < value(best) ? face : best));

const boxes = (faces: readonly DetectedFace[]): number[][] =>
  faces.slice(0, 10).map((face) => face.box.map(Math.round));

const ambiguous = (option: string, what: string, faces: readonly DetectedFace[]): FaceError =>
  new FaceError(
    'FACE_AMBIGUOUS',
    `${option}: ${what}; faces are at ${boxes(faces)
      .map((box) => `[${box.join(', ')}]`)
      .join(' ')}`,
    `Give pickFace "largest", or an index from 0 to ${faces.length - 1}`,
    { details: { option, boxes: boxes(faces) } },
  );

/**
 * The faces that are meant: one, or with `all` every one. FACE_NOT_FOUND, FACE_AMBIGUOUS. `option` names the picture; `best`
 * goes by `qualities`, one of each face.
 */
export const chooseFaces = (
  search: FaceSearch,
  pick: PickFace,
  option: string,
  qualities: readonly number[] = [],
): readonly DetectedFace[] => {
  const { faces, tried, width, height } = search;
  if (faces.length === 0) {
    throw new FaceError(
      'FACE_NOT_FOUND',
      `${option}: no face was found in ${width} × ${height} pixels, searched at ${tried.join(', ')}`,
      'Use a larger, frontal face, turn the picture upright, or pass face',
      { details: { option, tried } },
    );
  }
  if (typeof pick === 'number') {
    const face = faces[pick];
    if (!face) throw ambiguous(option, `there is no face ${pick} among ${faces.length}`, faces);
    return [face];
  }
  switch (pick) {
    case 'all':
      return faces;
    case 'only':
      if (faces.length > 1) throw ambiguous(option, `there are ${faces.length} faces and pickFace is "only"`, faces);
      return faces;
    case 'score':
      return [faces[0]!];
    case 'best':
      return [leastBy(faces, (face) => -(qualities[faces.indexOf(face)] ?? 0))];
    case 'largest':
      return [leastBy(faces, (face) => -area(face.box))];
    case 'left':
      return [leastBy(faces, (face) => centre(face.box)[0])];
    case 'center':
      return [leastBy(faces, (face) => Math.hypot(centre(face.box)[0] - width / 2, centre(face.box)[1] - height / 2))];
  }
};
