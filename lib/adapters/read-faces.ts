import { FaceError } from '../errors.js';
import { type FaceNetworks, unalignable } from '../faces/face.js';
import type { PickFace } from '../faces/options.js';
import { cosine, FOLLOWED } from '../faces/same-person.js';
import type { DetectedFace, Pixels, Stop } from '../native/types.js';
import { expectedFor } from '../options/check.js';
import { defaultOf } from '../options/row.js';
import { REFERENCE } from '../options/table/reference.js';
import type { ON_MISSING } from '../options/table/shared.js';
import type { Warn } from '../warnings.js';

/** Which faces of pictures are read, and what happens to a picture without one. */
export interface FaceReading {
  readonly option: string; // for messages
  readonly pickFace?: PickFace | undefined;
  readonly onMissing?: (typeof ON_MISSING)[number] | undefined;
}

/** A face that was chosen and measured. */
export interface ReadFace {
  readonly face: DetectedFace;
  readonly identity: Float32Array;
  readonly quality: number;
  /** Its picture's place among the pictures. */
  readonly from: number;
}

const MOST_FACES = 16; // the portrait adapters were trained with 5

/** Rules that look for the person of the first picture in further ones: they say nothing of who is meant. */
const FOLLOWING: ReadonlySet<PickFace> = new Set<PickFace>(['largest', 'best']);

/** The face most like `first`, where it is of that person. */
const followed = async (
  faces: FaceNetworks,
  image: Pixels,
  found: readonly DetectedFace[],
  first: Float32Array,
  stop: Stop,
): Promise<Omit<ReadFace, 'from'> | undefined> => {
  let [best, likeness]: [Omit<ReadFace, 'from'> | undefined, number] = [undefined, FOLLOWED];
  for (const face of found) {
    const measured = await faces.identify(image, face, stop).catch(unalignable);
    const value = measured ? cosine(measured.identity, first) : -1;
    if (!measured || value < likeness || (best && value === likeness)) continue;
    [best, likeness] = [{ face, ...measured }, value];
  }
  return best;
};

/** The faces of pictures that are meant, measured, in the order of the pictures. */
export const readFaces = async (
  faces: FaceNetworks,
  images: readonly Pixels[],
  reading: FaceReading,
  { stop, warn }: { readonly stop: Stop; readonly warn: Warn },
): Promise<readonly ReadFace[]> => {
  const rule = reading.pickFace ?? defaultOf(REFERENCE, 'pickFace');
  const mayMiss = (reading.onMissing ?? defaultOf(REFERENCE, 'onMissing')) === 'skip';
  const read: ReadFace[] = [];
  let missing: FaceError | undefined;

  const ofPicture = async (image: Pixels, from: number, option: string): Promise<void> => {
    const search = await faces.find(image, stop);
    const first = FOLLOWING.has(rule) && search.faces.length > 1 ? read[0]?.identity : undefined;
    const same = first && (await followed(faces, image, search.faces, first, stop));
    if (same) {
      read.push({ ...same, from });
      return;
    }
    for (const face of await faces.choose(image, search, rule, option, stop))
      read.push({ face, ...(await faces.identify(image, face, stop)), from });
  };

  for (const [i, image] of images.entries()) {
    const option = images.length > 1 ? `${reading.option}.images[${i}]` : `${reading.option}.image`;
    try {
      await ofPicture(image, i, option);
    } catch (error) {
      if (!(mayMiss && error instanceof FaceError && error.code === 'FACE_NOT_FOUND')) throw error;
      missing ??= error;
      warn('REFERENCE_QUALITY', `${option} is left out: no face was found in it`);
    }
  }
  if (read.length === 0) throw missing!;
  if (read.length > MOST_FACES) {
    const hint = 'Give fewer pictures, or another pickFace';
    throw expectedFor('OPTION_RANGE', reading.option, `at most ${MOST_FACES} faces`, read.length, hint);
  }
  return read;
};
