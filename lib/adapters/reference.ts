import { types } from 'node:util';
import { z } from 'zod';
import { OptionError } from '../errors.js';
import type { PickFace } from '../faces/options.js';
import { type CapturedImage, captureImage, type ImageSource } from '../images/source.js';
import { expectedFor, optionPath, readList, readOnce, readPlain } from '../options/check.js';
import { readOptions } from '../options/read.js';
import { defaultOf, namesOf } from '../options/row.js';
import { real } from '../options/schemas.js';
import { GIVEN_FACE } from '../options/table/faces.js';
import type { PASSES } from '../options/table/hires.js';
import {
  type ANCHORS,
  type FITS,
  type MASK_MODES,
  REFERENCE,
  type UNCONDS,
  type WEIGHT_MODES,
} from '../options/table/reference.js';
import type { ON_MISSING, OUTLIERS } from '../options/table/shared.js';
import type { Adapter } from './adapter.js';
import type { Combine } from './combine.js';
import { Embedding } from './embedding.js';
import type { EmbedsScaling } from './embeds-scaling.js';
import { type Negative, type NegativeNoise, negativeOf } from './negative.js';
import type { Scale } from './scales.js';
import type { WeightType } from './weight-types.js';
import type { WindowMode } from './window.js';

/** A face that the caller has analysed: the recogniser's raw numbers and, for FaceID Plus, an aligned close-up. */
export interface GivenFace {
  readonly identity: Float32Array;
  readonly crop?: ImageSource;
}

/** Where an image prompt comes from: exactly one of these. */
export type ReferenceSource =
  | { readonly image: ImageSource; readonly images?: never; readonly face?: never; readonly embedding?: never }
  | {
      readonly images: readonly ImageSource[];
      readonly image?: never;
      readonly face?: never;
      readonly embedding?: never;
    }
  | { readonly face: GivenFace; readonly image?: never; readonly images?: never; readonly embedding?: never }
  | { readonly embedding: Embedding; readonly image?: never; readonly images?: never; readonly face?: never };

/**
 * One image prompt of a run.
 *
 * @example
 * const reference: Reference = { adapter: 'faceid', image: 'person.jpg', scale: 0.8 }
 */
export type Reference = ReferenceSource & {
  /** Handle or name of an attached adapter. Default: the only one attached. */
  readonly adapter?: Adapter | string;
  /** Strength, −1…5, or one of the per-block notations. Default 1. */
  readonly scale?: Scale;
  /** Strength of a FaceID adapter's own LoRA in this run, 0…2. Default: as attached. */
  readonly loraScale?: number;
  /**
   * One number per image, 0…10: how much it counts among them; `quality`: as well as each face can be recognised, by its size,
   * the detector's score, how frontal and how sharp it is. Default: all 1.
   */
  readonly weights?: readonly number[] | 'quality';
  /**
   * What weights multiply: `value`, what a picture adds; `embed`, what its encoder gave, as ComfyUI's nodes do. Default
   * `value`.
   */
  readonly weightMode?: (typeof WEIGHT_MODES)[number];
  /**
   * How several pictures act together. `concat`: their tokens side by side; `average`, `norm average`, `add`, `subtract` (the
   * first less the mean of the others), `max`, `min`: one input of the projector; `token average`: one set of tokens;
   * `separate`: each attends for itself, and what they do adds up; `best`: only the face that can be recognised best. Default:
   * concat, average for FaceID and FaceID Plus.
   */
  readonly combine?: Combine;
  /** Bring a combined identity back to length 1, as the projector was trained. Default true. */
  readonly renormalize?: boolean;
  /** FaceID Plus v2: how much the face's picture counts beside its identity, 0…2. Default 1. */
  readonly structureScale?: number;
  /** How `scale` is spread over the network's transformers, by the names of ComfyUI's nodes. Default `linear`. */
  readonly weightType?: WeightType;
  /** What `scale` multiplies: the values, or the keys too, by the names of ComfyUI's nodes. Default `V only`. */
  readonly embedsScaling?: EmbedsScaling;
  /** A picture for the transformers that make the composition, in place of the reference. */
  readonly compositionImage?: ImageSource;
  /** Strength of the composition in the types "style and composition", −1…5. Default: as scale. */
  readonly compositionScale?: number;
  /** How much the precise types push away what is not asked for, −1…5. Default: as scale. */
  readonly boost?: number;
  /** Where in the picture it acts: white fully, black not at all. Any size: it is stretched over the picture. */
  readonly mask?: ImageSource;
  /** How a mask is brought to the network's grids: greys kept, or as diffusers or ComfyUI's nodes do. Default `linear`. */
  readonly maskMode?: (typeof MASK_MODES)[number];
  /** A picture to steer away from, in place of none, or noise made of the reference. */
  readonly negative?: ImageSource | NegativeNoise;
  /** The picture that stands for none: `grey` as in training, `black` as ComfyUI's nodes take it. Default `grey`. */
  readonly uncond?: (typeof UNCONDS)[number];
  /** How the picture becomes the square that the image encoder reads; `pad` adds black bars. Default `crop`. */
  readonly fit?: (typeof FITS)[number];
  /** What `crop` keeps of the picture, and where it lies in `pad`. Default `center`. */
  readonly anchor?: (typeof ANCHORS)[number];
  /** What counts of the picture: white fully, black not at all. Any size: it is stretched over the picture. */
  readonly clipMask?: ImageSource;
  /** Read the picture in squares, each of which acts on its own part of what is drawn: four, or two to four in a row. Default false. */
  readonly tiles?: boolean;
  /** Where in the run it begins to act, 0…1, included. Default 0. */
  readonly start?: number;
  /** Where in the run it ceases to act, 0…1, included. Default 1. */
  readonly end?: number;
  /** Which passes of a run with `hires` it acts in. Default `both`. */
  readonly passes?: (typeof PASSES)[number];
  /** What these are fractions of: `step`, the run's steps, or `sigma`, the training timesteps. Default `step`. */
  readonly windowMode?: WindowMode;
  /**
   * Which face of a picture with several: a rule, or a place 0…999, best score first. By `largest` and `best` further pictures
   * give the face that is most like the first picture's, if it is like it at all. Default `largest`.
   */
  readonly pickFace?: PickFace;
  /**
   * What happens to faces that do not seem to be of the person that the others show: `warn`; `drop`, left out, the larger part
   * stays; `error`, FACE_REFERENCES_DISAGREE; `off`, several people are meant. Default `warn`.
   */
  readonly outliers?: (typeof OUTLIERS)[number];
  /** What happens to a picture of several without a face: `skip`, it is left out with a warning. Default `error`. */
  readonly onMissing?: (typeof ON_MISSING)[number];
};

const MAX_IMAGES = REFERENCE.rows.images.range[1]; // of one reference; the portrait adapters were trained with 5

const own = {
  adapter: z.unknown(), // checked against what is attached
  image: z.unknown(),
  images: z.unknown(),
  face: z.unknown(),
  embedding: z.instanceof(Embedding),
  compositionImage: z.unknown(),
  mask: z.unknown(),
  negative: z.unknown(),
  clipMask: z.unknown(),
  scale: z.unknown(), // checked against the model's blocks
  weights: z.array(real(...REFERENCE.rows.weights.range)),
};

/** Pictures beside the one that is read. */
const PICTURES = ['compositionImage', 'mask', 'clipMask'] as const;

/** What FaceAnalyzer.identity gives beside what a reference needs: accepted, not read. */
const FACE_FACTS = ['box', 'landmarks', 'score', 'size', 'normalized'];

/** A reference as the run needs it: pictures copied, numbers checked, defaults filled in. */
export interface ReferenceSettings {
  readonly option: string; // "references[0]", for messages
  readonly adapter: unknown; // a handle, a name, or undefined for the only one
  readonly images: readonly CapturedImage[];
  readonly face: { readonly identity: Float32Array; readonly crop: CapturedImage | undefined } | undefined;
  readonly embedding: Embedding | undefined;
  readonly scale: unknown;
  readonly loraScale: number | undefined;
  readonly weights: Reference['weights'];
  readonly structureScale: number | undefined;
  readonly pickFace: PickFace | undefined;
  readonly outliers: Reference['outliers'];
  readonly onMissing: Reference['onMissing'];
  readonly weightMode: Reference['weightMode'];
  readonly embedsScaling: EmbedsScaling | undefined;
  readonly combine: Combine | undefined;
  readonly renormalize: boolean | undefined;
  readonly weightType: WeightType | undefined;
  readonly compositionImage: CapturedImage | undefined;
  readonly compositionScale: number | undefined;
  readonly boost: number | undefined;
  readonly mask: CapturedImage | undefined;
  /** The box that the mask was made of. */
  readonly region?: readonly number[] | undefined;
  readonly maskMode: Reference['maskMode'];
  readonly negative: Negative | undefined;
  readonly uncond: Reference['uncond'];
  readonly fit: Reference['fit'];
  readonly anchor: Reference['anchor'];
  readonly clipMask: CapturedImage | undefined;
  readonly tiles: boolean | undefined;
  readonly start: number | undefined;
  readonly end: number | undefined;
  readonly windowMode: WindowMode | undefined;
  readonly passes: Reference['passes'];
}

const faceOf = (value: unknown, option: string): NonNullable<ReferenceSettings['face']> => {
  const raw = readOnce(value, option, {
    known: [...namesOf(GIVEN_FACE).known, ...FACE_FACTS],
    later: GIVEN_FACE.later,
  });
  if (!types.isFloat32Array(raw.identity) || raw.identity.length === 0) {
    throw expectedFor(
      'OPTION_TYPE',
      `${option}.identity`,
      'a Float32Array of the recogniser',
      raw.identity,
      'Give the raw output of a face recogniser',
    );
  }
  const crop = raw.crop === undefined ? undefined : captureImage(raw.crop, `${option}.crop`);
  return { identity: Float32Array.from(raw.identity), crop };
};

/**
 * Checks one reference; `place` is where it stands in the options, `scale` the model's own default. Every buffer in it is
 * copied before this returns.
 */
export const referenceOf = (value: unknown, place: readonly PropertyKey[], defaultScale: number): ReferenceSettings => {
  const option = optionPath(place);
  let isByQuality = false;
  const raw = readOptions(REFERENCE, value, own, place, (read) => {
    read.scale = readPlain(read.scale, `${option}.scale`);
    isByQuality = read.weights === 'quality';
    if (isByQuality) delete read.weights; // what is left is a list, whose numbers errors name
    read.weights = readPlain(read.weights, `${option}.weights`);
  });
  const sources = (['image', 'images', 'face', 'embedding'] as const).filter((name) => raw[name] !== undefined);
  if (sources.length !== 1) {
    throw new OptionError(
      'OPTION_CONFLICT',
      `${option} has ${sources.length === 0 ? 'no picture' : sources.join(' and ')}, expected exactly one of image, images, face and embedding`,
      'Give one of them',
      { details: { option, found: sources } },
    );
  }
  const list =
    raw.images !== undefined
      ? readList(raw.images, `${option}.images`, MAX_IMAGES)
      : raw.image !== undefined
        ? [raw.image]
        : [];
  const images = list.map((image, i) =>
    captureImage(image, raw.images !== undefined ? `${option}.images[${i}]` : `${option}.image`),
  );
  const { loraScale, weights, structureScale, pickFace, outliers, onMissing } = raw;
  const { embedding } = raw;
  const pictures = embedding?.info.pictures ?? images.length;
  if (weights && weights.length !== pictures) {
    throw expectedFor('OPTION_RANGE', `${option}.weights`, `${pictures} numbers, one per image`, weights);
  }
  if (weights && !weights.some((weight) => weight > 0)) {
    throw expectedFor('OPTION_RANGE', `${option}.weights`, 'at least one number above 0', weights);
  }
  const face = raw.face !== undefined ? faceOf(raw.face, `${option}.face`) : undefined;
  const scale = raw.scale ?? defaultScale;
  const { weightMode, embedsScaling, maskMode, uncond, fit, anchor } = raw;
  const { combine, renormalize, weightType, compositionScale, boost, start, end, windowMode } = raw;
  const negative =
    raw.negative === undefined ? undefined : negativeOf(raw.negative, [...place, 'negative'], `${option}.negative`);
  const [compositionImage, mask, clipMask] = PICTURES.map((name) =>
    raw[name] === undefined ? undefined : captureImage(raw[name], `${option}.${name}`),
  );
  const last = end ?? defaultOf(REFERENCE, 'end');
  if ((start ?? defaultOf(REFERENCE, 'start')) > last)
    throw expectedFor('OPTION_RANGE', `${option}.start`, `a number from 0 to end, ${last}`, start);
  return {
    option,
    adapter: raw.adapter,
    images,
    face,
    embedding,
    scale,
    loraScale,
    weights: isByQuality ? 'quality' : weights,
    structureScale,
    pickFace,
    outliers,
    onMissing,
    weightMode,
    embedsScaling,
    combine,
    renormalize,
    weightType,
    compositionImage,
    compositionScale,
    boost,
    mask,
    maskMode,
    negative,
    uncond,
    fit,
    anchor,
    clipMask,
    tiles: raw.tiles,
    start,
    end,
    windowMode,
    passes: raw.passes,
  };
};
