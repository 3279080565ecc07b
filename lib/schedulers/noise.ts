import { OptionError } from '../errors.js';
import type { InitialNoise } from './config.js';

/** Whose normal numbers a run draws, for the same picture as there. */
export const noises = ['torch-cpu', 'torch-cuda', 'a1111', 'comfyui'] as const;
export type NoiseConvention = (typeof noises)[number];

/** The number type they are drawn in; `legacy` as torch did up to 2025, each operation rounded. */
export const rngDtypes = ['f32', 'f16', 'bf16', 'f16-legacy', 'bf16-legacy'] as const;
export type RngDtype = (typeof rngDtypes)[number];

/** Whether each picture of a run has a generator of its own, or all are one draw. */
export const batchNoises = ['per-image', 'single'] as const;
export type BatchNoise = (typeof batchNoises)[number];

interface Convention {
  /** Generators by the native core's names; `steps`: another one for the noise of steps, from the same seed. */
  readonly source: 'torch-cpu' | 'torch-cuda' | 'nv';
  readonly steps?: 'torch-cuda';
  readonly types: readonly RngDtype[];
  readonly batch: BatchNoise;
  readonly initial: InitialNoise;
}

/** source: the diffusion specification, 6.4 and 7.6 */
const CONVENTIONS: Readonly<Record<NoiseConvention, Convention>> = {
  'torch-cpu': { source: 'torch-cpu', types: rngDtypes, batch: 'per-image', initial: 'reference' },
  'torch-cuda': { source: 'torch-cuda', types: ['f32', 'f16', 'bf16'], batch: 'per-image', initial: 'reference' },
  // its "NV" source, which is also what its "GPU" one gives where the card has a thread for every number
  a1111: { source: 'nv', types: ['f32'], batch: 'per-image', initial: 'sigma' },
  comfyui: { source: 'torch-cpu', steps: 'torch-cuda', types: ['f32'], batch: 'single', initial: 'whole' },
};

/** What the options noise, rngDtype and batchNoise come to. */
export interface NoiseSettings {
  readonly noise: NoiseConvention;
  readonly rngDtype: RngDtype;
  readonly batchNoise: BatchNoise;
}

/** The options with defaults filled in; a number type that the convention does not draw is refused. */
export const noiseSettings = (
  noise: NoiseConvention,
  rngDtype: RngDtype,
  batchNoise: BatchNoise | undefined,
): NoiseSettings => {
  const { types, batch } = CONVENTIONS[noise];
  if (!types.includes(rngDtype)) {
    throw new OptionError(
      'OPTION_CONFLICT',
      `rngDtype is "${rngDtype}" and noise "${noise}" is drawn in ${types.join(', ')}`,
      types.length > 1 ? `Give rngDtype ${types.join(' or ')}` : 'Leave rngDtype out, or give noise "torch-cpu"',
      { details: { option: 'rngDtype', found: rngDtype } },
    );
  }
  return { noise, rngDtype, batchNoise: batchNoise ?? batch };
};

/** What the initial numbers of a convention are multiplied by. */
export const initialOf = (noise: NoiseConvention): InitialNoise => CONVENTIONS[noise].initial;

/** The generators that the native core is asked for. */
export const generatorsOf = ({ noise, rngDtype }: NoiseSettings) => {
  const { source, steps } = CONVENTIONS[noise];
  return { source, ...(steps && { steps }), type: rngDtype };
};
