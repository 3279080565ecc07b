import type { NetworkInfo } from '../native/types.js';
import type { CONTROL_MODES } from '../options/table/control.js';

/** How a control shares its influence with the prompt. */
export type ControlMode = (typeof CONTROL_MODES)[number];

/** Of a T2I-Adapter's four features, from full resolution down. source: sd-webui-controlnet */
const FEATURE_FACTORS = [0.25, 0.62, 0.825, 1];
/** Of a ControlNet's residuals, from the middle back. source: sd-webui-controlnet */
const RESIDUAL_FALL = 0.825;
/** Residuals of SD1.5's ControlNet, the middle's included: SDXL's take the first of this list. */
const RESIDUALS = 13;

/** The factors of the modes that trust the prompt more, or the control more than the unconditional half. */
const soft = (isAdapter: boolean, count: number): number[] =>
  Array.from({ length: count }, (_, i) =>
    isAdapter ? (FEATURE_FACTORS[i] ?? 1) : RESIDUAL_FALL ** (RESIDUALS - 1 - i),
  );

/** source: diffusers, guess mode: 0.1 at full resolution, 1 in the middle, evenly spaced logarithms between */
const guessed = (count: number): number[] => Array.from({ length: count }, (_, i) => 10 ** (i / (count - 1) - 1));

/** One factor per residual or feature, scale included, and whether the unconditional half gets nothing. */
export const controlStrengths = (
  { variant, strengths: count = 0, globalPool }: Pick<NetworkInfo, 'variant' | 'strengths' | 'globalPool'>,
  { scale, mode: asked }: { readonly scale: number; readonly mode: ControlMode },
): { readonly strengths: readonly number[]; readonly conditionalOnly: boolean } => {
  const isAdapter = variant === 't2i-adapter';
  const mode = globalPool ? 'guess' : asked; // source: diffusers: what means over the picture are made for
  const even = new Array<number>(count).fill(1);
  const factors = {
    balanced: () => even,
    prompt: () => soft(isAdapter, count),
    control: () => soft(isAdapter, count),
    guess: () => (isAdapter ? even : guessed(count)),
  }[mode]();
  return {
    strengths: factors.map((factor) => factor * scale),
    conditionalOnly: mode === 'control' || (mode === 'guess' && !isAdapter),
  };
};

/**
 * One factor per outer step: 0 where the control is not called.
 * source: diffusers: step i of n is left out where i/n < start or (i+1)/n > end
 */
export const controlWindow = (
  steps: number,
  { start, end }: { readonly start: number; readonly end: number },
): number[] => Array.from({ length: steps }, (_, i) => (i / steps < start || (i + 1) / steps > end ? 0 : 1));
