import cliProgress from 'cli-progress';
import type { JobEvent } from '../index.js';
import { say } from './output.js';

/** Shows how far a run is: a bar on a terminal, one line per ten percent elsewhere. */
export interface Progress {
  readonly event: (event: JobEvent) => void;
  readonly end: () => void;
}

const bar = (steps: number): Progress => {
  const shown = new cliProgress.SingleBar({
    format: 'drawing {bar} {value}/{total} steps',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    clearOnComplete: false,
    stream: process.stderr,
  });
  shown.start(steps, 0);
  return {
    event: (e) => {
      if (e.type === 'step') shown.update(Math.min(steps, (e.image ?? 0) * e.steps + e.step));
    },
    end: () => shown.stop(),
  };
};

const lines = (steps: number): Progress => {
  let told = 0; // tenths
  return {
    event: (e) => {
      if (e.type !== 'step') return;
      const tenths = Math.floor((10 * ((e.image ?? 0) * e.steps + e.step)) / steps);
      if (tenths <= told) return;
      told = tenths;
      say(`drawing: ${told * 10} %`);
    },
    end: () => {},
  };
};

/** `steps`: of all pictures together. */
export const progress = (steps: number): Progress =>
  process.stderr.isTTY && !process.env.CI ? bar(steps) : lines(steps);
