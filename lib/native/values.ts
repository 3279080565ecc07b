// What calls of the addon have in common.

/** A value of the core: f32, row-major [N, H, W, C]; tokens are [N, 1, T, C]. */
export interface Tensor {
  readonly shape: readonly [number, number, number, number];
  readonly data: Float32Array;
}

/** Pixels in memory, interleaved RGB, 8 bit. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** Cancels one native call. */
export interface Stop {
  raise(): void;
}

export interface CallOptions {
  readonly stop?: Stop;
}
