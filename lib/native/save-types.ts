// Shapes of the call that writes weight files.
import type { CallOptions } from './values.js';

/** A UNet by its shapes; levels from full resolution down. */
export interface UnetShape {
  readonly widths: readonly number[];
  /** Transformer blocks of a level; 0: a level without attention. */
  readonly transformers: readonly number[];
  readonly heads: readonly number[];
  readonly midTransformers: number;
  readonly inChannels: number;
  readonly outChannels: number;
  /** ResNets of a down block. */
  readonly layers: number;
  readonly context: number;
  readonly linearProjection: boolean;
  /** 0: none. */
  readonly guidanceWidth: number;
  readonly pooledWidth: number;
  readonly timeIds: number;
  readonly timeIdWidth: number;
  readonly groups: number;
}

export interface VaeShape {
  readonly widths: readonly number[];
  readonly imageChannels: number;
  readonly latentChannels: number;
  readonly layers: number;
  readonly quantConv: boolean;
  readonly postQuantConv: boolean;
  readonly midAttention: boolean;
  readonly groups: number;
}

export interface TextShape {
  readonly vocabulary: number;
  readonly positions: number;
  readonly width: number;
  readonly mlp: number;
  readonly layers: number;
  readonly heads: number;
  readonly activation: 'gelu' | 'quick_gelu';
  /** 0: none. */
  readonly projection: number;
}

/** A network to be written: by its file, or one that is loaded, whose file is read again. */
export type SavePart<Network> =
  | { readonly network: Network }
  | {
      readonly kind: 'unet' | 'vae' | 'clip_text';
      readonly source: { readonly path: string; readonly dialect?: 'diffusers' | 'ldm' };
      readonly config?: Readonly<Record<string, unknown>>;
      readonly encoder?: number;
    };

/** A LoRA to be merged: an opened one, or its file. */
export type SaveLora<Lora> = ({ readonly lora: Lora } | { readonly path: string }) & {
  readonly scale: number;
  readonly textScale: number;
};

export interface SaveSpec<Network, Lora> extends CallOptions {
  readonly parts: readonly SavePart<Network>[];
  readonly loras: readonly SaveLora<Lora>[];
  /** New files: each holds some of the parts, in diffusers' names or those of a single-file checkpoint. */
  readonly files: readonly {
    readonly path: string;
    readonly dialect: 'diffusers' | 'ldm';
    readonly parts: readonly number[];
  }[];
  readonly dtype: 'f16' | 'bf16' | 'f32';
  readonly allowNonFinite?: boolean;
}

export interface SaveResult {
  readonly parts: readonly {
    readonly network: UnetShape | VaeShape | TextShape;
    /** Tensors of the file that belong to no layer. */
    readonly leftOut: readonly string[];
  }[];
  /** Of all tensors written. */
  readonly bytes: number;
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
}

export interface SaveEngine<Network, Lora> {
  /** Writes networks tensor by tensor, LoRAs merged in f32 and rounded once; all is checked before a byte is written. */
  save(
    spec: SaveSpec<Network, Lora>,
    onProgress?: (event: { bytes: number; totalBytes: number }) => void,
  ): Promise<SaveResult>;
}
