import { released } from '../native/engine.js';
import type { JobControl } from './job.js';
import type { Run, RunContext } from './request.js';
import { draw } from './run.js';
import type { RunQueue } from './run-queue.js';

/** What a pipeline gives to its runs, and where it keeps them. */
export interface Submission extends Pick<RunContext, 'host' | 'model' | 'weights' | 'limits'> {
  readonly queue: RunQueue;
  readonly jobs: Set<JobControl>;
}

/** Puts a checked run into the queue of its pipeline; it ends with its job, and the job with its signal. */
export const submit = (run: Run, control: JobControl, asked: number, of: Submission): void => {
  const { queue, jobs, ...what } = of;
  const { signal } = run.settings;
  const work = async (): Promise<void> => {
    if (control.ended) return;
    const stop = of.host.stop();
    control.onEnd(() => stop.raise());
    try {
      control.succeed(await draw(run, { ...what, control, stop, asked }));
    } catch (error) {
      control.fail(error); // when the job was cancelled it has ended already
    } finally {
      released(of.host, stop);
    }
  };
  // after this turn, so that whoever called can follow the job from its first event on; before the run may start
  let position = 0;
  queueMicrotask(() => control.emit({ type: 'queued', position }));
  const entry = queue.add(work);
  position = entry.position;
  jobs.add(control);
  const cancel = (): void => control.cancel(signal?.reason);
  signal?.addEventListener('abort', cancel, { once: true });
  control.onEnd(() => {
    entry.leave();
    jobs.delete(control);
    signal?.removeEventListener('abort', cancel);
  });
};
