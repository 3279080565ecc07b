type NoiseSource = 'torch-cpu' | 'torch-cuda' | 'nv';

/** Who draws the normal numbers of a run; `steps`: another source for those of its steps, from the same seed. Default: torch-cpu, f32. */
export interface NoiseSpec {
  readonly source: NoiseSource;
  readonly steps?: NoiseSource;
  readonly type: 'f32' | 'f16' | 'bf16' | 'f16-legacy' | 'bf16-legacy';
}

/** Picture `index` of a draw of `count` from one generator; 0 of 1 for a generator of its own. */
export interface NoiseBatch {
  readonly index: number;
  readonly count: number;
}
