// What the addon says of devices.

/** What networks compute with; auto is what the device is fastest with. */
export type Dtype = 'auto' | 'f32' | 'f16' | 'bf16';

/** An NVIDIA card as the driver describes it. */
export interface Card {
  readonly id: `cuda:${number}`;
  readonly name: string;
  /** Compute capability, such as `9.0`. */
  readonly capability: string;
  /** Bytes of its memory. */
  readonly memory: number;
  /** The newest CUDA that the driver knows, such as `13.0`. */
  readonly driver: string;
}
