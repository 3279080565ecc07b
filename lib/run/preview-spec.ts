import type { Model } from '../models/model.js';
import type { SampleSpec } from '../native/types.js';
import { denoisedAt } from '../schedulers/prediction.js';
import { type Pass, type PassList, stepsBefore } from './passes.js';
import type { PreviewSettings } from './preview.js';

/** Which network calls of a pass are shown, and by what their noise is taken away. */
export const previewSpec = (
  { every }: PreviewSettings,
  passes: PassList,
  pass: Pass,
  { vae, scalingFactor }: Model['preview'],
): SampleSpec['preview'] => {
  const { schedule, prediction } = pass;
  const before = stepsBefore(passes, pass);
  const all = passes.reduce((sum, one) => sum + one.schedule.steps, 0);
  const rows = schedule.rows.flatMap(({ step }, row) => {
    const count = before + step + 1;
    const isLast = schedule.rows[row + 1]?.step !== step; // of the calls of one step
    if (!isLast || count % every !== 0 || count === all) return [];
    return [{ row, ...denoisedAt(prediction, schedule.addNoise(row)) }];
  });
  return rows.length > 0 ? { vae, scalingFactor, rows } : undefined;
};
