import type { FaceNetworks } from '../faces/face.js';
import type { ImageSource } from '../images/source.js';
import type { NetworkHandle, Tensor } from '../native/types.js';
import { disposedHandle } from '../options/attached.js';
import type { AdapterLora } from './companion.js';
import type { Embedding } from './embedding.js';
import { type EncodeOptions, type EncodeSettings, encodeSettings } from './encode-options.js';
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
  /** Rank of its LoRA, inside or from the option `lora`; 0 for none. */
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
  /** In effect in the runs that reference the adapter, at `loraScale` unless they say otherwise. */
  readonly lora: AdapterLora | undefined;
  /** The image encoder is to be shown close-ups of faces. */
  readonly cropFace: boolean;
  readonly loraScale: number;
  readonly licences: readonly string[];
  /** Unconditional tokens of one picture, by structure scale: the same in every run. */
  readonly unconditional: Map<string, Tensor>;
  /** Frees the networks that are its own, and its share in the others. */
  readonly free: () => void;
}

/** What the pipeline does for its adapters. */
export interface AdapterOwner {
  readonly detach: (adapter: Adapter) => Promise<void>;
  readonly encode: (adapter: Adapter, settings: EncodeSettings) => Promise<Embedding>;
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
  readonly #of: AdapterOwner;
  #ending: Promise<void> | undefined;

  /** Made by `addAdapter`; not called by users. */
  constructor(own: AdapterParts, info: AdapterInfo, of: AdapterOwner) {
    this.name = own.name;
    this.info = info;
    this.#of = of;
    parts.set(this, own);
  }

  /** True after `dispose`. */
  get disposed(): boolean {
    return this.#ending !== undefined;
  }

  /**
   * Reads pictures as this adapter needs them, to be kept and used in their place: by the image encoder, the face recogniser
   * or both. Adapters that read the same can share an embedding.
   *
   * @example
   * const her = await adapter.encode(['her-1.jpg', 'her-2.jpg'])
   * await pipe.generate({ prompt: 'portrait of a woman', references: [{ adapter, embedding: her }] })
   */
  async encode(images: ImageSource | readonly ImageSource[], options: EncodeOptions = {}): Promise<Embedding> {
    if (this.disposed) throw disposedHandle('adapter', this.name);
    return this.#of.encode(this, encodeSettings(images, options));
  }

  /** Detaches the adapter once earlier runs are done, and restores the model's weights byte for byte. */
  dispose(): Promise<void> {
    this.#ending ??= this.#of.detach(this);
    return this.#ending;
  }

  /** As `dispose`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
