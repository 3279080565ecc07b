import { Picture } from '../images/picture.js';
import type { StepEvent } from '../native/types.js';
import type { JobControl } from './job.js';
import { type Pass, stepsBefore } from './passes.js';
import type { Run } from './request.js';

/** Network calls of a pass, by how long each takes, about. */
const workOf = ({ schedule, width, height }: Pass, calls = schedule.rows.length): number => calls * width * height;

/** Tells when an outer step is done, with the time that is left, over all passes and pictures of the run; and shows it. */
export const stepEvents = (
  { passes, settings, warn }: Run,
  pass: Pass,
  image: number,
  began: number,
  control: JobControl,
): ((event: StepEvent) => void) => {
  const { rows } = pass.schedule;
  const before = stepsBefore(passes, pass);
  const steps = passes.reduce((sum, { schedule }) => sum + schedule.steps, 0);
  const work = (list: readonly Pass[]): number => list.reduce((sum, one) => sum + workOf(one), 0);
  const ofPicture = work(passes);
  const earlier = image * ofPicture + work(passes.slice(0, passes.indexOf(pass)));
  return ({ row, preview, failed }) => {
    const step = before + rows[row]!.step + 1;
    if (failed !== undefined) {
      const message = `No more previews of this picture: ${failed}`;
      warn('PREVIEW_FAILED', message);
    } else if (preview) {
      control.emit({ type: 'preview', step, image: new Picture(preview), index: image, pass: pass.name });
    } else if (rows[row + 1]?.step !== rows[row]!.step) {
      const done = earlier + workOf(pass, row + 1);
      const etaMs = ((performance.now() - began) / done) * (settings.seeds.length * ofPicture - done);
      control.emit({ type: 'step', step, steps, etaMs: Math.round(etaMs), image, pass: pass.name });
    }
  };
};
