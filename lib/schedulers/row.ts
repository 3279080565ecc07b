/**
 * The contract between the samplers and the step loop: a run is a list of rows, one row per network call.
 *
 * State of the loop, all of the latents' shape:
 *   x        the latents
 *   saved    one kept x
 *   kept[k]  up to four kept outputs, k = 0 the newest
 *
 * One row is executed so:
 *   1. m = network(inputScale · x, timestep), guidance included
 *   2. K = keepX · x + keepOut · m         (the prediction type is folded in: K is the denoised latents or m itself)
 *   3. store 'push':    kept[3] ← kept[2] ← kept[1] ← kept[0] ← K
 *      store 'replace': kept[0] ← K        (the rest stays)
 *   4. for each update u, in order:
 *        next = u.x · x + u.saved · saved + Σ u.outputs[k] · kept[k] + u.noise · ε
 *        if u.saveX: saved ← x              (x as it was before this update)
 *        x ← next
 *      ε are fresh normal numbers, drawn if and only if u.draws, also where u.noise is 0: the position in the random
 *      stream is part of the result. No row has more than one update that draws.
 *
 * A coefficient 0 means the term is absent: its operand may never have been set and must not be read. All coefficients
 * are finite; the latents stay in f32. `outputs` has at most four entries.
 */
export interface Update {
  readonly x: number;
  readonly saved: number;
  readonly outputs: readonly number[];
  readonly noise: number;
  readonly draws: boolean;
  readonly saveX: boolean;
}

export interface StepRow {
  /** Index of the outer step, 0 first. Rows of one outer step follow each other (PNDM's repeat, Heun's second call). */
  readonly step: number;
  /** The number given to the network; may have a fraction. */
  readonly timestep: number;
  readonly inputScale: number;
  readonly keepX: number;
  readonly keepOut: number;
  readonly store: 'push' | 'replace';
  readonly updates: readonly Update[];
}

/** noisy = signal · x₀ + noise · ε */
export interface NoiseMix {
  readonly signal: number;
  readonly noise: number;
}

/** A whole run, the part skipped by `strength` already left out. */
export interface Schedule {
  readonly rows: readonly StepRow[];
  /** What the network is given, one entry per row. */
  readonly timesteps: readonly number[];
  /** Noise level σ of x = α · (x₀ + σ · ε) at each row (∞ without signal), then that after the last: one more than rows. */
  readonly sigmas: readonly number[];
  /** Outer steps of the run. */
  readonly steps: number;
  /** The initial normal numbers of a run from pure noise are multiplied by this. */
  readonly initNoiseSigma: number;
  /** How to noise clean latents to the level at which row `index` starts (img2img: 0; inpainting: the row to come). */
  readonly addNoise: (index: number) => NoiseMix;
}

/** An update without the terms that most samplers do not use. */
export const update = (terms: Partial<Update>): Update => ({
  x: 0,
  saved: 0,
  outputs: [],
  noise: 0,
  draws: false,
  saveX: false,
  ...terms,
});
