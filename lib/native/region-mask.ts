/** A grey picture of any size, stretched over the whole: 1 is full influence, 0 none. */
export interface RegionMask {
  readonly data: Float32Array | Uint8Array; // [height, width]: 0..1, or bytes
  readonly width: number;
  readonly height: number;
  /**
   * How it is brought to the grids of tokens: bilinear to each exact grid; or, for parity, as diffusers (black and
   * white, bicubic) or ComfyUI_IPAdapter_plus (bilinear) do, on the grids that they guess.
   */
  readonly mode: 'linear' | 'diffusers' | 'comfy';
}
