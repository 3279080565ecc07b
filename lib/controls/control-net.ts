import type { NetworkHandle } from '../native/types.js';

/** What an attached ControlNet or T2I-Adapter is. */
export interface ControlNetInfo {
  readonly kind: 'controlnet' | 't2i-adapter';
  readonly parameters: number;
}

const networks = new WeakMap<ControlNet, NetworkHandle>();

/**
 * A ControlNet or T2I-Adapter attached to a pipeline; it acts in runs whose `controls` name it.
 *
 * @example
 * const edges = await pipe.addControlNet('control_v11p_sd15_canny.safetensors', { name: 'edges' })
 * await pipe.generate({ prompt: 'a harbour', controls: [{ controlNet: edges, image: 'edges.png' }] })
 */
export class ControlNet {
  readonly name: string;
  readonly info: ControlNetInfo;
  readonly #detach: (net: ControlNet) => Promise<void>;
  #ending: Promise<void> | undefined;

  /** Made by `addControlNet`; not called by users. */
  constructor(name: string, network: NetworkHandle, detach: (net: ControlNet) => Promise<void>) {
    const { variant, parameters } = network.info;
    this.name = name;
    this.info = { kind: variant === 't2i-adapter' ? variant : 'controlnet', parameters };
    this.#detach = detach;
    networks.set(this, network);
  }

  /** True after `dispose`. */
  get disposed(): boolean {
    return this.#ending !== undefined;
  }

  /** Detaches it once earlier runs are done, and frees it. */
  dispose(): Promise<void> {
    this.#ending ??= this.#detach(this);
    return this.#ending;
  }

  /** As `dispose`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

/** The addon's handle of an attached one. */
export const controlNetwork = (net: ControlNet): NetworkHandle => networks.get(net)!;
