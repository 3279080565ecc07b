import type { CallOptions } from './values.js';

/** When networks that wait leave memory. */
export type Offload = 'auto' | 'always' | 'never';

/** What weights and values may take, and who makes room. */
export interface MemorySpec {
  /** Bytes; absent: what the device has. */
  readonly budget?: number | undefined;
  /** Default auto. */
  readonly offload?: Offload | undefined;
}

/** How a network's weights are read. */
export interface ReadOptions extends CallOptions {
  readonly allowNonFinite?: boolean;
}

/** Of a load. */
export interface LoadTime extends ReadOptions {
  /** The file's header is read and checked now, weights by `read`, or when they are first needed. */
  readonly later?: boolean;
}

/** A picture, as far as memory goes. */
export interface PictureWork {
  readonly width: number; // latent columns
  readonly height: number; // latent rows
  /** Rows that the UNet computes at once. */
  readonly batch: number;
  /** Of the longest prompt. */
  readonly chunks: number;
  /** Of the UNet. */
  readonly calls: number;
  /** One per image prompt. */
  readonly promptTokens: readonly number[];
}

/** Bytes that one network takes at work. */
export interface NetworkNeed {
  readonly weights: number;
  /** Values of its programs, and what their kernels take besides. */
  readonly run: number;
}

/** Calls of the engine about memory. `N`: its handle of a network. */
export interface MemoryEngine<N> {
  /** Reads the weights of a network that was loaded for later. */
  read(
    network: N,
    options: ReadOptions,
    onProgress?: (event: { bytes: number; totalBytes: number }) => void,
  ): Promise<void>;
  /** By plans alone, nothing is read or run. With `room` (bytes) a decoder that needs more may work in bands. */
  need(
    networks: readonly N[],
    picture: PictureWork,
    options: CallOptions & { readonly room?: number },
  ): Promise<readonly NetworkNeed[]>;
}
