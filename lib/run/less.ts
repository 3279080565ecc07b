import { type WindowMode, windowOf } from '../adapters/window.js';
import { OptionError } from '../errors.js';
import type { SampleLess } from '../native/less-types.js';
import { expectedFor } from '../options/check.js';
import { readOptions } from '../options/read.js';
import { defaultOf } from '../options/row.js';
import { GENERATE } from '../options/table/generate.js';
import { FREE_U, FREE_U_FACTORS, REUSE } from '../options/table/less.js';
import type { Wording } from '../prompt/index.js';
import type { Schedule, SchedulerConfig } from '../schedulers/index.js';
import type { Warn } from '../warnings.js';

/** Where in a run guidance acts; what is left out has its default. */
export interface GuidanceWindow {
  readonly guidanceStart: number | undefined;
  readonly guidanceEnd: number | undefined;
  readonly guidanceWindowMode: WindowMode | undefined;
}

/** What a run leaves out of its steps, of its settings. */
export interface LessSettings extends GuidanceWindow {
  readonly guidanceScale: number;
  readonly reuse: ReuseSettings | undefined;
  readonly freeU: FreeUOptions | undefined;
}

/**
 * Deep features of the network change little from step to step: in between, only its outermost level is computed, from those
 * of the last whole step.
 *
 * @example
 * await pipe.generate({ prompt, reuse: { every: 2 } })
 */
export interface ReuseOptions {
  /** Every how many steps the whole network is computed, 1…10; 1: off. The first and the last step always are. */
  readonly every: number;
}

/** The same, checked. */
export type ReuseSettings = ReuseOptions;

/** Checks the option `reuse`. */
export const reuseOf = (value: unknown): ReuseSettings | undefined =>
  value === undefined ? undefined : readOptions(REUSE, value, {}, ['reuse']);

/** Checks the window of guidance. */
export const guidanceWindowOf = (
  given: {
    readonly [K in keyof GuidanceWindow]?: GuidanceWindow[K];
  },
): GuidanceWindow => {
  const { guidanceStart, guidanceEnd, guidanceWindowMode } = given;
  const [first, last] = [
    guidanceStart ?? defaultOf(GENERATE, 'guidanceStart'),
    guidanceEnd ?? defaultOf(GENERATE, 'guidanceEnd'),
  ];
  if (first > last)
    throw expectedFor('OPTION_RANGE', 'guidanceStart', `a number from 0 to guidanceEnd, ${last}`, guidanceStart);
  return { guidanceStart, guidanceEnd, guidanceWindowMode };
};

/**
 * Weighs what the first two blocks on the way up read: more of the hidden state, less of the skips' lowest frequencies.
 *
 * @example
 * await pipe.generate({ prompt, freeU: { b1: 1.3, b2: 1.4 } })
 */
export interface FreeUOptions {
  /** Half of the channels of the first block's hidden state, 0…4. Default: 1.5 (SD1.5) or 1.3 (SDXL). */
  readonly b1?: number;
  /** The same of the second block, 0…4. Default: 1.6 (SD1.5) or 1.4 (SDXL). */
  readonly b2?: number;
  /** The lowest frequencies of the first block's skips, 0…4. Default 0.9. */
  readonly s1?: number;
  /** The same of the second block, 0…4. Default 0.2. */
  readonly s2?: number;
}

/** Checks the option `freeU`. */
export const freeUOf = (value: unknown): FreeUOptions | undefined => {
  if (value === undefined || value === false) return undefined;
  const { b1, b2, s1, s2 } = readOptions(FREE_U, value === true ? {} : value, {}, ['freeU']);
  return Object.fromEntries(Object.entries({ b1, b2, s1, s2 }).filter(([, factor]) => factor !== undefined));
};

/** The factors of a run: given ones, the others as the family has them. */
export const freeUFactors = (
  { freeU }: Pick<LessSettings, 'freeU'>,
  { isXl }: { readonly isXl: boolean },
): Required<FreeUOptions> | undefined => freeU && { ...FREE_U_FACTORS[isXl ? 'sdxl' : 'sd15'], ...freeU };

/** Checks what a run wants to leave out against what it does. */
export const checkLess = (settings: LessSettings, { parts }: Wording, warn: Warn): void => {
  const { guidanceScale, guidanceStart, guidanceEnd, guidanceWindowMode } = settings;
  if (guidanceScale <= 1) {
    for (const [name, value] of Object.entries({ guidanceStart, guidanceEnd, guidanceWindowMode }))
      if (value !== undefined) warn('OPTION_CONFLICT', `${name} has no effect: guidance is off`);
    return;
  }
  const isWhole = (guidanceStart ?? 0) === 0 && (guidanceEnd ?? 1) === 1;
  if (isWhole || parts.some(({ weight }) => weight > 0)) return;
  throw new OptionError(
    'OPTION_CONFLICT',
    'No part of the prompt has a weight above 0, and steps outside the window of guidance draw those alone',
    'Leave guidanceStart and guidanceEnd out, or give a part of the prompt a weight above 0',
    { details: { option: (guidanceEnd ?? 1) < 1 ? 'guidanceEnd' : 'guidanceStart' } },
  );
};

/** What `settings` leave out of the steps of `schedule`. */
export const lessSpec = (
  settings: LessSettings,
  schedule: Schedule,
  model: { readonly scheduler: SchedulerConfig; readonly isXl: boolean },
): SampleLess => {
  const { guidanceScale, guidanceStart: start, guidanceEnd: end, guidanceWindowMode: windowMode } = settings;
  const window = guidanceScale > 1 ? windowOf(schedule, model.scheduler, { start, end, windowMode }) : [];
  const every = settings.reuse?.every ?? 1;
  const freeU = freeUFactors(settings, model);
  return {
    ...(window.includes(0) && { guidanceWindow: window }),
    ...(every > 1 && { reuseEvery: every }),
    ...(freeU && { freeU }),
  };
};
