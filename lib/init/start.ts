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

/** The picture's latents under the noise of the first row; without a row, as they are. */
export const firstOf = ({ rows, addNoise }: Schedule): NoiseMix => (rows.length === 0 ? CLEAN : addNoise(0));

/** A picture through the VAE; `without`: pixels that are hidden. */
const encoded = async (
  { engine, vae, scalingFactor, stop }: Encoding,
  { picture }: PreparedInit,
  { posterior }: Begin,
  without?: Uint8Array,
): Promise<Posterior> => {
  const options = { scalingFactor, hidden: without, ...(stop && { stop }) };
  const { mean, spread } = await native(engine.encode(vae, picture, options));
  return posterior === 'mode' ? { mean } : { mean, spread };
};

/** At full strength a masked run begins with noise alone. */
const isNoise = ({ mask }: PreparedInit, { strength }: Begin): boolean => mask !== undefined && strength === 1;

/**
 * What a pass holds on to that goes on with what another has drawn, which it begins with: the picture outside the mask.
 */
export const laterStart = async (encoding: Encoding, prepared: PreparedInit, begin: Begin): Promise<SampleInit> => {
  const { schedule } = begin;
  const { rows, addNoise, initNoiseSigma } = schedule;
  const { mask, hidden } = prepared;
  const first = isNoise(prepared, begin) ? { signal: 0, noise: initNoiseSigma } : firstOf(schedule);
  if (mask === undefined) return { first };
  const after = rows.map((_, i) => (i + 1 < rows.length ? addNoise(i + 1) : CLEAN));
  return {
    first,
    mask,
    ...(encoding.readsMask ? {} : { after }),
    // trap: the reference encodes it for every UNet, so its numbers are drawn for every UNet
    masked: await encoded(encoding, prepared, begin, hidden),
  };
};

/**
 * What the step loop begins with and holds on to. At full strength a masked run begins with noise alone, and a UNet that reads
 * the mask needs nothing put back.
 * source: diffusers StableDiffusionImg2ImgPipeline, StableDiffusionInpaintPipeline
 */
export const startOf = async (encoding: Encoding, prepared: PreparedInit, begin: Begin): Promise<SampleInit> => {
  const fromNoise = isNoise(prepared, begin);
  const image = fromNoise && encoding.readsMask ? {} : { image: await encoded(encoding, prepared, begin) };
  const fill = prepared.mask === undefined ? {} : { fillWithNoise: begin.fill === 'noise' && !fromNoise };
  return { ...image, ...fill, ...(await laterStart(encoding, prepared, begin)) };
};
