import type { WINDOW_MODES } from '../options/table/reference.js';
import { type Schedule, type SchedulerConfig, sigmaAt } from '../schedulers/index.js';

/** What start and end are fractions of: the run's steps, or the training timesteps, whose σ is compared. */
export type WindowMode = (typeof WINDOW_MODES)[number];

/** Where a reference acts within a run; what is left out has its default. */
export interface Window {
  readonly start?: number | undefined;
  readonly end?: number | undefined;
  readonly windowMode?: WindowMode | undefined;
}

/**
 * One factor per outer step: 1 inside, 0 outside, both ends included.
 * source: A1111's rule start ≤ i/N ≤ end; ComfyUI's σ(end) ≤ σ ≤ σ(start)
 */
export const windowOf = (
  { steps, rows, sigmas }: Pick<Schedule, 'steps' | 'rows' | 'sigmas'>,
  scheduler: SchedulerConfig,
  { start = 0, end = 1, windowMode }: Window,
): number[] => {
  const bySigma = windowMode === 'sigma';
  const [most, least] = bySigma ? [sigmaAt(scheduler, start), sigmaAt(scheduler, end)] : [0, 0];
  return Array.from({ length: steps }, (_, step) => {
    const sigma = sigmas[rows.findIndex((row) => row.step === step)]!; // of its first network call
    const inside = bySigma ? sigma >= least && sigma <= most : step / steps >= start && step / steps <= end;
    return inside ? 1 : 0;
  });
};
