import { StateError } from '../errors.js';
import type { FaceNetworks } from '../faces/face.js';
import type { NetworkHandle, Tensor } from '../native/types.js';
import type { ImageEncoder } from './encoder.js';
import type { EncoderNeed, Needs, Variant, VariantRow } from './variants.js';

/** What an attached adapter is. */
export interface AdapterInfo {
  readonly variant: Variant;
  /** Of FaceID Plus. */
  readonly version?: 'v1' | 'v2';
  /** Image tokens per picture or face; 0: as many as the encoder gives. */
  readonly tokens: number;
  /** Encoder that it reads, by name; undefined when it reads identities alone. */
  readonly encoder?: string;
  readonly needsFace: boolean;
  /** Rank of the LoRA inside, 0 for none. */
  readonly loraRank: number;
  readonly licence: string;
  /** Recommended scales. */
  readonly hint: string;
}

/** Everything a run needs of an adapter; internal to the package. */
export interface AdapterParts {
  readonly name: string;
  readonly network: NetworkHandle;
  readonly row: VariantRow & { readonly variant: Variant };
  readonly needs: Needs;
  readonly version: 'v1' | 'v2' | undefined;
  readonly encoder: (ImageEncoder & { readonly need: EncoderNeed }) | undefined;
  readonly faces: FaceNetworks | undefined;
  readonly faceCrop: number;
  readonly loraScale: number;
  readonly licences: readonly string[];
  /** Unconditional tokens of one picture, by structure scale: the same in every run. */
  readonly unconditional: Map<string, Tensor>;
  /** Frees the networks that are its own, and its share in the others. */
  readonly free: () => void;
}

const parts = new WeakMap<Adapter, AdapterParts>();

/** The inner parts of an attached adapter. */
export const adapterParts = (adapter: Adapter): AdapterParts => parts.get(adapter)!;

/**
 * An adapter attached to a pipeline.
 *
 * @example
 * const plus = await pipe.addAdapter('ip-adapter-plus_sd15.safetensors')
 * console.log(plus.info.variant, plus.info.tokens) // plus 16
 * await plus.dispose()
 */
export class Adapter {
  readonly name: string;
  readonly info: AdapterInfo;
  readonly #detach: (adapter: Adapter) => Promise<void>;
  #ending: Promise<void> | undefined;

  /** Made by `addAdapter`; not called by users. */
  constructor(own: AdapterParts, info: AdapterInfo, detach: (adapter: Adapter) => Promise<void>) {
    this.name = own.name;
    this.info = info;
    this.#detach = detach;
    parts.set(this, own);
  }

  /** True after `dispose`. */
  get disposed(): boolean {
    return this.#ending !== undefined;
  }

  /** Detaches the adapter once earlier runs are done, and restores the model's weights byte for byte. */
  dispose(): Promise<void> {
    this.#ending ??= this.#detach(this);
    return this.#ending;
  }

  /** As `dispose`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

/** The error of using a handle after `dispose`. */
export const disposedHandle = (what: string, name: string): StateError =>
  new StateError('CLOSED', `The ${what} "${name}" was disposed`, `Attach it again`, { details: { name } });
