import { ResourceError } from '../errors.js';
import type { EngineHost } from '../native/engine.js';
import { native } from '../native/native.js';
import type { NetworkHandle, NetworkNeed, PictureWork, Stop } from '../native/types.js';

/**
 * What a model takes in memory, in bytes, known from its files' headers.
 *
 * @example
 * const { weights, run, offloaded } = pipe.info.need
 * console.log(`${(weights + run) / 1e9} GB at once, ${offloaded / 1e9} GB with offload "always"`)
 */
export interface MemoryNeed {
  /** Of the picture that it is told for, guided, without references: px. */
  readonly width: number;
  readonly height: number;
  /** Weights of all networks. */
  readonly weights: number;
  /** Values of all of them at work, which stay for the next picture of the size. */
  readonly run: number;
  /** The most at once with `offload: 'always'`: the largest stage. */
  readonly offloaded: number;
  /** The least `budget`: the largest network by itself. */
  readonly least: number;
}

/** The networks of a model by stages. */
export interface Stages {
  readonly unet: NetworkHandle;
  readonly vae: NetworkHandle;
  readonly text: readonly NetworkHandle[];
}

const sum = (needs: readonly NetworkNeed[], of: (need: NetworkNeed) => number): number =>
  needs.reduce((total, need) => total + of(need), 0);
const both = ({ weights, run }: NetworkNeed): number => weights + run;

/** What the networks take for a picture. `factor`: pixels per latent. */
export const needOf = async (
  { engine }: EngineHost,
  { unet, vae, text }: Stages,
  picture: PictureWork,
  factor: number,
  stop: Stop,
): Promise<MemoryNeed> => {
  const needs = await native(engine.need([unet, vae, ...text], picture, { stop }));
  const [drawing, decoding, ...reading] = needs;
  const stages = [both(drawing!), both(decoding!), sum(reading, both)];
  return {
    width: picture.width * factor,
    height: picture.height * factor,
    weights: sum(needs, ({ weights }) => weights),
    run: sum(needs, ({ run }) => run),
    offloaded: Math.max(...stages),
    least: Math.max(...needs.map(both)),
  };
};

/** Refuses what no order of networks in memory makes possible. `beside`: bytes of weights that stay beside the model's. */
export const checkNeed = async (
  host: EngineHost,
  networks: Stages,
  picture: PictureWork,
  stop: Stop,
  beside = 0,
): Promise<void> => {
  const { budget, offload = 'auto' } = host.memory ?? {};
  // a card streams what it has no room for, and knows what its kernels take only once it has them
  if (budget === undefined || host.device !== 'cpu') return;
  const all = [networks.unet, networks.vae, ...networks.text];
  const needs = await native(host.engine.need(all, picture, { stop, room: budget }));
  const needed = offload === 'never' ? sum(needs, both) + beside : Math.max(...needs.map(both));
  if (needed <= budget) return;
  throw new ResourceError(
    'MEMORY_BUDGET',
    `${needed} bytes are needed at once, the budget is ${budget}`,
    offload === 'never'
      ? 'Raise memory.budget, let networks that wait leave (memory.offload "auto"), or ask for a smaller picture'
      : 'Raise memory.budget, or ask for a smaller picture',
    { details: { needed: String(needed), allowed: String(budget) } },
  );
};
