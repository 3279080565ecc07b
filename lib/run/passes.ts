import { scheduleAt, strengthOf } from '../init/strength.js';
import type { Model } from '../models/model.js';
import { expectedFor } from '../options/check.js';
import { defaultOf } from '../options/row.js';
import { REFERENCE } from '../options/table/reference.js';
import type { Wording } from '../prompt/index.js';
import type { Prediction } from '../schedulers/config.js';
import { predictionOf, type Schedule, schedule } from '../schedulers/index.js';
import { initialOf } from '../schedulers/noise.js';
import type { Warn } from '../warnings.js';
import type { Passes } from './hires.js';
import type { RunSettings } from './options.js';

/** Once over a picture, by a table of its own. */
export interface Pass {
  readonly name: Exclude<Passes, 'both'>;
  /** Of what is drawn, in px. */
  readonly width: number;
  readonly height: number;
  readonly schedule: Schedule;
  readonly prediction: Prediction;
  /** Share of the steps that is done. */
  readonly strength: number;
  /** For all text encoders; what changes with the steps does so over this pass's. */
  readonly prompt: Wording;
  readonly negative: Wording | undefined;
}

/** The passes of a run, in order: the first draws, or begins with a picture; the second goes on with what it has drawn. */
export type PassList = readonly [Pass, ...Pass[]];

/** What prompts say over a number of steps. */
export type Wordings = (steps: number) => Pick<Pass, 'prompt' | 'negative'>;

/** Whether something acts in a pass. */
export const actsIn = ({ name }: Pass, passes: Passes = defaultOf(REFERENCE, 'passes')): boolean =>
  passes === 'both' || passes === name;

/** Steps of the passes before one. */
export const stepsBefore = (passes: PassList, pass: Pass): number =>
  passes.slice(0, passes.indexOf(pass)).reduce((sum, { schedule }) => sum + schedule.steps, 0);

/** The passes that the options of a run come to. */
export const passesOf = (settings: RunSettings, model: Model, wordings: Wordings): PassList => {
  const { sampler, schedule: sigmas, spacing, prediction, zeroSnr, eta, hires } = settings;
  const options = { schedule: sigmas, spacing, prediction, zeroSnr, eta, initial: initialOf(settings.noise) };
  const pass = (
    name: Pass['name'],
    { width, height, steps }: { readonly width: number; readonly height: number; readonly steps: number },
    strength: number,
  ): Pass => {
    const table = scheduleAt(strength, (share) =>
      schedule(sampler, model.scheduler, steps, { ...options, strength: share }),
    );
    return {
      name,
      width,
      height,
      schedule: table,
      prediction: predictionOf(model.scheduler, options),
      strength,
      ...wordings(Math.max(table.steps, 1)), // where none is done, the prompts are still read
    };
  };
  const base = pass('base', settings, strengthOf(settings.init, model.isXl));
  if (!hires) return [base];
  const steps = hires.steps || settings.steps;
  if (hires.strength > 0 && Math.trunc(steps * hires.strength) === 0) {
    const hint = `Give hires.strength of at least ${1 / steps}, more hires.steps, or 0 to make the picture larger alone`;
    throw expectedFor(
      'OPTION_RANGE',
      'hires.strength',
      `0, or a share that leaves a step of ${steps}`,
      hires.strength,
      hint,
    );
  }
  return [base, pass('hires', { ...hires, steps }, hires.strength)];
};

/** What is said to act in the second pass alone does nothing where there is none. */
export const warnOfPasses = (
  list: readonly { readonly option: string; readonly passes?: Passes | undefined }[],
  passes: PassList,
  warn: Warn,
): void => {
  if (passes.length > 1) return;
  for (const { option, passes: asked } of list)
    if (asked === 'hires')
      warn('OPTION_CONFLICT', `${option} has no effect: its passes is hires, and the run has no hires`);
};
