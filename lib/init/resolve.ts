import { createHash } from 'node:crypto';
import { decodeImage } from '../images/decode.js';
import { native } from '../native/native.js';
import type { Grey, Pixels, SampleInit } from '../native/types.js';
import { recordedOf } from '../options/row.js';
import { INIT } from '../options/table/init.js';
import type { Schedule } from '../schedulers/index.js';
import { type MaskContext, maskOf } from './mask.js';
import type { InitSettings } from './options.js';
import { type Encoding, startOf } from './start.js';

/** What a picture becomes for a run. */
export interface ResolvedInit {
  readonly start: SampleInit;
  /** What was painted, on the picture. */
  readonly finish: (painted: Pixels) => Promise<Pixels>;
  /** The settings, pictures by their hashes. */
  readonly record: Readonly<Record<string, unknown>>;
}

/** What resolving needs of the run. */
export interface InitContext extends MaskContext, Omit<Encoding, 'engine' | 'stop'> {
  readonly schedule: Schedule;
  readonly strength: number;
  /** Size of what is drawn, in px; pixels per latent. */
  readonly width: number;
  readonly height: number;
  readonly factor: number;
}

const hashOf = ({ width, height, data }: Pixels | Grey): string =>
  createHash('sha256').update(`${width}x${height}`).update(data).digest('hex');

/** Turns the option `init` into what the step loop begins with, by `begin`, and says how the result is put back. */
export const resolveInit = async (
  context: InitContext,
  init: InitSettings,
  begin: typeof startOf = startOf,
): Promise<ResolvedInit> => {
  const { engine, limits, stop, width, height, factor, strength } = context;
  const image = await decodeImage(init.image, limits);
  const mask = await maskOf(context, image, init);
  const prepared = await native(
    engine.prepareInit(image, {
      width,
      height,
      factor,
      mask,
      padding: mask && init.maskPadding,
      blurred: init.fill === 'blur',
      stop,
    }),
  );
  const start = await begin(context, prepared, { ...init, schedule: context.schedule, strength });
  const ofMask = mask
    ? { mask: init.mask === 'face' ? 'face' : hashOf(mask), maskPadding: init.maskPadding, maskBlur: init.maskBlur }
    : { fill: undefined, colorMatch: undefined };
  return {
    start,
    finish: async (painted) => {
      if (!mask) return painted;
      const { maskBlur: soft, colorMatch } = init;
      return native(engine.finishInit(painted, image, { mask, region: prepared.region, soft, colorMatch, stop }));
    },
    record: recordedOf(INIT, {
      ...init,
      image: hashOf(image),
      strength,
      mask: undefined,
      maskBlur: undefined,
      pickFace: init.mask === 'face' ? init.pickFace : undefined,
      ...ofMask,
    }),
  };
};
