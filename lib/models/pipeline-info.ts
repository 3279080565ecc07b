import type { EngineHost } from '../native/engine.js';
import type { Dtype, NetworkHandle } from '../native/types.js';
import type { Warning } from '../warnings.js';
import type { Model } from './model.js';
import type { MemoryNeed } from './need.js';

/** What a loaded pipeline is. */
export interface PipelineInfo {
  readonly name: string;
  readonly family: string;
  /** `cpu`, `cuda:0` … or `emulated`. */
  readonly device: string;
  /** The card's name; absent on the CPU. */
  readonly card?: string;
  /** What UNet, VAE decoder and CLIP encoders compute with; sums, norms and the rest are f32 always. */
  readonly dtype: Exclude<Dtype, 'auto'>;
  /** Instruction set of the CPU in use: base, avx2, avx512 … */
  readonly level: string;
  readonly threads: number;
  readonly parameters: number;
  /** Bytes of all weights; those of networks that left with `memory.offload` are counted. */
  readonly memory: number;
  /** What the model takes at its own picture size. */
  readonly need: MemoryNeed;
  /**
   * Weights that the card has no room for: bytes that come from the host in every step, and the milliseconds that a step
   * takes at least for that, predicted from a measured copy. Absent where everything has room.
   */
  readonly streaming?: { readonly bytes: number; readonly stepMs: number };
  readonly adapters: readonly string[];
  readonly controlNets: readonly string[];
  readonly loras: readonly string[];
  readonly textEmbeddings: readonly string[];
  /** Of the load: a file with a misleading name, weights that were left out … */
  readonly warnings: readonly Warning[];
}

/** `attached`: networks beside the model's; undefined: nothing is loaded any more. */
export const infoOf = (
  host: EngineHost,
  model: Model,
  attached: readonly NetworkHandle[] | undefined,
  lists: Pick<PipelineInfo, 'adapters' | 'controlNets' | 'loras' | 'textEmbeddings' | 'warnings'>,
): PipelineInfo => {
  const { name: card, dtype, level, threads } = host.engine.info;
  const networks = attached
    ? [...new Set([model.unet, model.vae, model.preview.vae]), ...model.text.map((tower) => tower.network), ...attached]
    : [];
  const sum = (of: (info: { parameters: number; bytes: number }) => number): number =>
    networks.reduce((total, network) => total + of(network.info), 0);
  const streamed = attached && model.unet.info.streamed;
  return {
    name: model.name,
    family: model.family,
    device: host.device,
    ...(card === undefined ? {} : { card }),
    dtype,
    level,
    threads,
    parameters: sum((info) => info.parameters),
    memory: sum((info) => info.bytes),
    need: model.need,
    ...(streamed === undefined
      ? {}
      : { streaming: { bytes: streamed.bytes, stepMs: Math.round(streamed.seconds * 1e4) / 10 } }),
    ...lists,
  };
};
