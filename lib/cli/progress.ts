import cliProgress from 'cli-progress';
import type { ConvertEvent, JobEvent, PullEvent } from '../index.js';
import { bytesText, say } from './output.js';

/** Shows how far a run is: a bar on a terminal, one line per ten percent elsewhere. */
export interface Progress {
  readonly event: (event: JobEvent) => void;
  readonly end: () => void;
}

const emptyBar = (format: string): cliProgress.SingleBar =>
  new cliProgress.SingleBar({
    format,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    clearOnComplete: false,
    stream: process.stderr,
  });

const bar = (steps: number): Progress => {
  const shown = emptyBar('drawing {bar} {value}/{total} steps');
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

const hasBar = (): boolean => process.stderr.isTTY && !process.env.CI;

/** `steps`: of all pictures together. */
export const progress = (steps: number): Progress => (hasBar() ? bar(steps) : lines(steps));

/** Shows how far a fetch is. */
export interface PullProgress {
  readonly event: (event: PullEvent) => void;
  readonly end: () => void;
}

const pullBar = (): PullProgress => {
  const shown = emptyBar('fetching {bar} {percentage} %, {done} of {all}, {file}');
  let started = false;
  return {
    event: ({ bytes, totalBytes, file }) => {
      const facts = { file, done: bytesText(bytes), all: bytesText(totalBytes) };
      if (!started) shown.start(totalBytes, bytes, facts);
      else shown.update(bytes, facts);
      started = true;
    },
    end: () => shown.stop(),
  };
};

const pullLines = (): PullProgress => {
  let told = -1; // tenths
  return {
    event: ({ bytes, totalBytes }) => {
      const tenths = totalBytes === 0 ? 10 : Math.floor((10 * bytes) / totalBytes);
      if (tenths <= told) return;
      told = tenths;
      say(`fetching: ${told * 10} % of ${bytesText(totalBytes)}`);
    },
    end: () => {},
  };
};

export const pullProgress = (): PullProgress => (hasBar() ? pullBar() : pullLines());

/** Shows how far a model is written. */
export const convertProgress = (): { readonly event: (event: ConvertEvent) => void; readonly end: () => void } => {
  const shown = hasBar() ? emptyBar('writing {bar} {percentage} %, {done} of {all}') : undefined;
  let told = -1; // tenths
  return {
    event: ({ bytes, totalBytes }) => {
      const facts = { done: bytesText(bytes), all: bytesText(totalBytes) };
      if (shown) {
        if (told < 0) shown.start(totalBytes, bytes, facts);
        else shown.update(bytes, facts);
        told = 0;
        return;
      }
      const tenths = totalBytes === 0 ? 10 : Math.floor((10 * bytes) / totalBytes);
      if (tenths <= told) return;
      told = tenths;
      say(`writing: ${told * 10} % of ${bytesText(totalBytes)}`);
    },
    end: () => shown?.stop(),
  };
};
