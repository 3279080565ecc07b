import { abortError, FaceError, quoted, StateError } from '../errors.js';
import { familyDefaults } from '../files/defaults.js';
import { knownFile } from '../files/known-files.js';
import { cameFrom } from '../files/origin.js';
import { decodeImage } from '../images/decode.js';
import type { ImageLimits } from '../images/limits.js';
import { captureImage, type ImageSource, type RawImage } from '../images/source.js';
import { loadSettings } from '../models/options.js';
import { cancellable, type EngineHost, startEngine } from '../native/engine.js';
import { native } from '../native/native.js';
import type { DetectedFace, NetworkHandle, Pixels, Stop } from '../native/types.js';
import { expectedFor, readOnce } from '../options/check.js';
import { readOptions } from '../options/read.js';
import { defaultOf, namesOf } from '../options/row.js';
import { ANALYZER, DETECT, IDENTITY as IDENTITY_OPTIONS } from '../options/table/face.js';
import { chooseFaces, type FaceSearch } from './face-choice.js';
import {
  type AnalyzerOptions,
  type FaceFiles,
  type FaceSettings,
  faceSettings,
  type IdentityOptions,
  type PickFace,
} from './options.js';
import { qualityOf } from './quality.js';

/** Tried in this order until a face is found: a face that fills the picture is too large for a large canvas. */
const AUTO_SIZES = [640, 576, 512, 448, 384, 320, 256, 192, 128];
const NMS = 0.4; // highest overlap of two faces
const IDENTITY = 112; // px, side of the recogniser's input
const PAD_GREY = 127;
const IDENTITY_WIDTH = 512; // numbers of every recogniser that FaceID adapters know

/**
 * A face that was chosen and measured. Positions are in pixels of the picture.
 *
 * @example
 * const face: Face = await analyzer.identity('person.jpg')
 * await pipe.generate({ prompt, references: [{ face }] })
 */
export interface Face {
  readonly score: number;
  /** x1, y1, x2, y2 */
  readonly box: readonly [number, number, number, number];
  /** image-left eye, image-right eye, nose, image-left and image-right mouth corner: x, y each. */
  readonly landmarks: readonly number[];
  /** Side of the detector's canvas that found it. */
  readonly size: number;
  /** The recogniser's raw output, 512 numbers. */
  readonly identity: Float32Array;
  /** The upright close-up. */
  readonly crop: RawImage;
}

/** Half of the picture's size as grey on every side: a tight crop then has a forehead and a chin. */
const padded = (image: Pixels): { readonly pixels: Pixels; readonly x: number; readonly y: number } => {
  const [x, y] = [Math.round(image.width / 2), Math.round(image.height / 2)];
  const [width, height] = [image.width + 2 * x, image.height + 2 * y];
  const data = new Uint8Array(width * height * 3).fill(PAD_GREY);
  for (let row = 0; row < image.height; ++row) {
    const from = row * image.width * 3;
    data.set(image.data.subarray(from, from + image.width * 3), ((row + y) * width + x) * 3);
  }
  return { pixels: { width, height, data }, x, y };
};

const moved = (face: DetectedFace, dx: number, dy: number): DetectedFace => {
  const [x1, y1, x2, y2] = face.box;
  return {
    score: face.score,
    box: [x1 - dx, y1 - dy, x2 - dx, y2 - dy],
    landmarks: face.landmarks.map((v, i) => v - (i % 2 === 0 ? dx : dy)),
  };
};

const missing = (path: string, what: string, hint: string): FaceError =>
  new FaceError('FACE_MODEL_MISSING', `${quoted(path)} ${what}`, hint, { details: { path } });

/** Nothing for a face whose landmarks make no face: among several it is passed over. */
export const unalignable = (error: unknown): undefined => {
  if (!(error instanceof FaceError && error.code === 'FACE_LANDMARKS_INVALID')) throw error;
};

/** Detector and recogniser, loaded; internal to the package. */
export class FaceNetworks {
  private constructor(
    readonly host: EngineHost,
    readonly detector: NetworkHandle,
    readonly recognizer: NetworkHandle,
    readonly settings: FaceSettings,
    readonly sizes: readonly number[],
    /** The recogniser is one of those that adapters were trained on. */
    readonly verified: boolean,
    readonly licences: readonly string[],
  ) {}

  static async load(host: EngineHost, settings: FaceSettings, stop: Stop): Promise<FaceNetworks> {
    const open = async (path: string): Promise<NetworkHandle> =>
      cameFrom(await native(host.engine.load({ kind: 'onnx', source: { path }, stop })), path);
    const detector = await open(settings.detector);
    const outputs = detector.info.outputs?.length ?? 0;
    if (![9, 12, 15].includes(outputs)) {
      throw missing(
        settings.detector,
        `has ${outputs} outputs; a face detector with landmarks has 9 or 15 (scores, boxes, landmarks per stride)`,
        'Give a detector with five landmarks, such as SCRFD with keypoints',
      );
    }
    const recognizer = await open(settings.recognizer);
    const width = recognizer.info.outputs?.[0]?.at(-1);
    if (recognizer.info.outputs?.length !== 1 || width !== IDENTITY_WIDTH) {
      throw missing(
        settings.recognizer,
        `has ${recognizer.info.outputs?.length ?? 0} outputs, the first of width ${String(width)}; a face recogniser has one of ${IDENTITY_WIDTH}`,
        'Give an ArcFace recogniser, such as w600k_r50, as recognizer',
      );
    }
    const known = await knownFile(settings.recognizer);
    const sizes = await sizesOf(settings, detector);
    return new FaceNetworks(
      host,
      detector,
      recognizer,
      settings,
      sizes,
      known?.recognizer ?? false,
      known?.licence ? [known.licence] : [],
    );
  }

  /** Every face of a picture, best score first, at the first canvas size that has one; else once more with a border. */
  async find(image: Pixels, stop: Stop): Promise<FaceSearch> {
    const options = { threshold: this.settings.detThreshold, nms: NMS, stop };
    const tried: string[] = [];
    for (const size of this.sizes) {
      const faces = await native(this.host.engine.detectFaces(this.detector, image, { ...options, size }));
      tried.push(String(size));
      if (faces.length > 0) return { faces, size, tried, width: image.width, height: image.height };
    }
    const border = padded(image);
    const size = this.sizes[0]!;
    const faces = await native(this.host.engine.detectFaces(this.detector, border.pixels, { ...options, size }));
    tried.push(`${size} with a border`);
    return {
      faces: faces.map((face) => moved(face, border.x, border.y)),
      size,
      tried,
      width: image.width,
      height: image.height,
    };
  }

  /** The faces that `pick` means; `option` names the picture in errors. */
  async choose(
    image: Pixels,
    search: FaceSearch,
    pick: PickFace,
    option: string,
    stop: Stop,
  ): Promise<readonly DetectedFace[]> {
    const qualities: number[] = [];
    if (pick === 'best' && search.faces.length > 1) {
      for (const face of search.faces) {
        const closeUp = await this.align(image, face, IDENTITY, stop).catch(unalignable);
        qualities.push(closeUp ? qualityOf(face, closeUp) : -1);
      }
    }
    return chooseFaces(search, pick, option, qualities);
  }

  /** The raw identity of one face, and how well it can be recognised, 0…1. */
  async identify(
    image: Pixels,
    face: DetectedFace,
    stop: Stop,
  ): Promise<{ readonly identity: Float32Array; readonly quality: number }> {
    const closeUp = await this.align(image, face, IDENTITY, stop);
    const identity = await native(this.host.engine.identify(this.recognizer, closeUp, { stop }));
    return { identity, quality: qualityOf(face, closeUp) };
  }

  /** The face upright and centred, `size` pixels square. */
  align(image: Pixels, face: DetectedFace, size: number, stop: Stop): Promise<Pixels> {
    return native(this.host.engine.alignFace(image, face.landmarks, size, { stop }));
  }

  dispose(): void {
    this.detector.dispose();
    this.recognizer.dispose();
  }
}

const sizesOf = async (settings: FaceSettings, detector: NetworkHandle): Promise<readonly number[]> => {
  if (settings.detSize !== 'auto') return [settings.detSize];
  const own = (await familyDefaults(settings.detector)).detSize;
  if (own !== undefined) return [own];
  const side = detector.info.input?.[3] ?? -1;
  return side > 0 ? [side] : AUTO_SIZES;
};

/**
 * Finds faces and measures identities.
 *
 * @example
 * await using analyzer = await FaceAnalyzer.load({ detector: 'det_10g.onnx', recognizer: 'w600k_r50.onnx' })
 * const { identity, box } = await analyzer.identity('person.jpg')
 */
export class FaceAnalyzer {
  readonly #networks: FaceNetworks;
  readonly #limits: ImageLimits;
  #closed = false;

  private constructor(networks: FaceNetworks, limits: ImageLimits) {
    this.#networks = networks;
    this.#limits = limits;
  }

  /**
   * Opens the two networks.
   *
   * @example
   * const analyzer = await FaceAnalyzer.load({ detector, recognizer, detSize: 640 })
   */
  static async load(files: FaceFiles, options: AnalyzerOptions = {}): Promise<FaceAnalyzer> {
    const settings = faceSettings(files);
    const { threads, signal, images } = loadSettings(readOnce(options, '', namesOf(ANALYZER)));
    const host = startEngine({ threads });
    try {
      return new FaceAnalyzer(
        await cancellable(host, signal, abortError, (stop) => FaceNetworks.load(host, settings, stop)),
        images,
      );
    } catch (error) {
      host.close();
      throw error;
    }
  }

  /**
   * Every face of a picture, best score first; an empty list when there is none.
   *
   * @example
   * const faces = await analyzer.detect('group.jpg')
   */
  async detect(image: ImageSource, options: { readonly signal?: AbortSignal } = {}): Promise<readonly DetectedFace[]> {
    const captured = captureImage(image, 'image');
    const { signal } = readOptions(DETECT, options, {});
    return this.#work(
      signal,
      async (stop) => (await this.#networks.find(await decodeImage(captured, this.#limits), stop)).faces,
    );
  }

  /**
   * The identity of one face. Default: the largest; `faceCrop` is the side of the close-up, 224 px.
   *
   * @example
   * const face = await analyzer.identity('person.jpg', { pickFace: 'only' })
   */
  async identity(image: ImageSource, options: IdentityOptions = {}): Promise<Face> {
    const captured = captureImage(image, 'image');
    const {
      pickFace = defaultOf(IDENTITY_OPTIONS, 'pickFace'),
      faceCrop = defaultOf(IDENTITY_OPTIONS, 'faceCrop'),
      signal,
    } = readOptions(IDENTITY_OPTIONS, options, {});
    if (pickFace === 'all')
      throw expectedFor(
        'OPTION_RANGE',
        'pickFace',
        'a rule that chooses one face',
        pickFace,
        'Use detect for all faces',
      );
    return this.#work(signal, async (stop) => {
      const pixels = await decodeImage(captured, this.#limits);
      const search = await this.#networks.find(pixels, stop);
      const face = (await this.#networks.choose(pixels, search, pickFace, 'image', stop))[0]!;
      const crop = await this.#networks.align(pixels, face, faceCrop, stop);
      const { identity } = await this.#networks.identify(pixels, face, stop);
      return {
        score: face.score,
        box: face.box,
        landmarks: face.landmarks,
        size: search.size,
        identity,
        crop: { ...crop, channels: 3 as const },
      };
    });
  }

  /** The networks, for adapters; internal. */
  get networks(): FaceNetworks {
    if (this.#closed) throw closed();
    return this.#networks;
  }

  /** Frees the networks; later calls are CLOSED. Disposing twice is allowed. */
  async dispose(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#networks.dispose();
    this.#networks.host.close();
  }

  /** As `dispose`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  async #work<T>(signal: AbortSignal | undefined, work: (stop: Stop) => Promise<T>): Promise<T> {
    if (this.#closed) throw closed();
    return cancellable(this.#networks.host, signal, abortError, work);
  }
}

const closed = (): StateError =>
  new StateError('CLOSED', 'The face analyzer was disposed', 'Load it again with FaceAnalyzer.load');
