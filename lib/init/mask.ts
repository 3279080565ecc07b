import type { FaceNetworks } from '../faces/face.js';
import { decodeImage } from '../images/decode.js';
import { greyOf } from '../images/grey.js';
import type { ImageLimits } from '../images/limits.js';
import { native } from '../native/native.js';
import type { DetectedFace, Engine, Grey, Pixels, Stop } from '../native/types.js';
import type { InitSettings } from './options.js';

/** What making a mask needs. */
export interface MaskContext {
  readonly engine: Engine;
  readonly limits: ImageLimits;
  readonly faces: FaceNetworks | undefined;
  readonly stop: Stop;
}

const ROOM = 1.4; // of the face's box: hair line and chin are outside of it

const ellipseOf = ([x1, y1, x2, y2]: DetectedFace['box']) => ({
  x: (x1 + x2) / 2,
  y: (y1 + y2) / 2,
  across: (ROOM * (x2 - x1)) / 2,
  down: (ROOM * (y2 - y1)) / 2,
});

/** Soft ellipses around the chosen faces; of several, each pixel has the brightest. */
const faceMask = async (
  { engine, faces, stop }: MaskContext,
  image: Pixels,
  { pickFace }: InitSettings,
): Promise<Grey> => {
  const search = await faces!.find(image, stop);
  const chosen = await faces!.choose(image, search, pickFace, 'init.image', stop);
  const { width, height } = image;
  const data = new Uint8Array(width * height);
  for (const { box } of chosen) {
    const one = await native(engine.ellipse({ width, height, ...ellipseOf(box), stop }));
    for (const [i, value] of one.data.entries()) if (value > data[i]!) data[i] = value;
  }
  return { width, height, data };
};

/** Where the picture is painted anew, in grey; undefined: everywhere. */
export const maskOf = async (context: MaskContext, image: Pixels, init: InitSettings): Promise<Grey | undefined> => {
  if (init.mask === undefined) return undefined;
  if (init.mask === 'face') return faceMask(context, image, init);
  const pixels = await decodeImage(init.mask, context.limits);
  return { width: pixels.width, height: pixels.height, data: Uint8Array.from(await greyOf(pixels)) };
};
