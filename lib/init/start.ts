import { native } from '../native/native.js';
import type { Engine, NetworkHandle, Posterior, PreparedInit, SampleInit, Stop } from '../native/types.js';
import type { NoiseMix, Schedule } from '../schedulers/index.js';
import type { InitSettings } from './options.js';

/** What turning a picture into latents needs of a model. */
export interface Encoding {
  readonly engine: Engine;
  readonly vae: NetworkHandle;
  readonly scalingFactor: number;
  /** The UNet reads mask and masked picture beside the latents. */
  readonly readsMask: boolean;
  readonly stop?: Stop;
}

/** How the picture is begun with. */
export interface Begin extends Pick<InitSettings, 'posterior' | 'fill'> {
  readonly schedule: Schedule;
  readonly strength: number;
}

const CLEAN: NoiseMix = { signal: 1, noise: 0 };

/**
 * What the step loop begins with and holds on to. At full strength a masked run begins with noise alone, and a UNet that reads
 * the mask needs nothing put back.
 * source: diffusers StableDiffusionImg2ImgPipeline, StableDiffusionInpaintPipeline
 */
export const startOf = async (
  { engine, vae, scalingFactor, readsMask, stop }: Encoding,
  { picture, hidden, mask }: PreparedInit,
  { schedule, strength, posterior, fill }: Begin,
): Promise<SampleInit> => {
  const encode = async (without?: Uint8Array): Promise<Posterior> => {
    const options = { scalingFactor, hidden: without, ...(stop && { stop }) };
    const { mean, spread } = await native(engine.encode(vae, picture, options));
    return posterior === 'mode' ? { mean } : { mean, spread };
  };
  const { rows, addNoise, initNoiseSigma } = schedule;
  const isNoise = mask !== undefined && strength === 1;
  const first = rows.length === 0 ? CLEAN : isNoise ? { signal: 0, noise: initNoiseSigma } : addNoise(0);
  const image = isNoise && readsMask ? {} : { image: await encode() };
  if (mask === undefined) return { ...image, first };
  const after = rows.map((_, i) => (i + 1 < rows.length ? addNoise(i + 1) : CLEAN));
  return {
    ...image,
    first,
    mask,
    fillWithNoise: fill === 'noise' && !isNoise,
    ...(readsMask ? {} : { after }),
    // trap: the reference encodes it for every UNet, so its numbers are drawn for every UNet
    masked: await encode(hidden),
  };
};
