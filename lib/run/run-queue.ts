import { ResourceError } from '../errors.js';

interface Entry {
  readonly work: () => Promise<void>;
  /** Runs count against the limit; work of our own does not. */
  readonly counts: boolean;
}

/** Runs of a pipeline, one at a time in the order of their calls. */
export class RunQueue {
  readonly #waiting: Entry[] = [];
  #running: Entry | undefined;
  #idle: (() => void)[] = [];

  constructor(readonly limit: number) {}

  get #runs(): number {
    return this.#waiting.filter((entry) => entry.counts).length + (this.#running?.counts ? 1 : 0);
  }

  /** Adds a run; returns how many are before it, and what takes it out while it waits. QUEUE_FULL. */
  add(work: () => Promise<void>): { readonly position: number; readonly leave: () => void } {
    const position = this.#runs;
    if (position > this.limit) {
      throw new ResourceError(
        'QUEUE_FULL',
        `${this.limit} runs are waiting already`,
        'Wait for one to end, or raise maxQueue when loading',
        {
          details: { expected: this.limit },
        },
      );
    }
    const entry = { work, counts: true };
    this.#push(entry);
    const leave = (): void => {
      const at = this.#waiting.indexOf(entry);
      if (at >= 0) this.#waiting.splice(at, 1);
    };
    return { position, leave };
  }

  /** Work between runs, such as detaching: after all that was added before. */
  between<T>(work: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => this.#push({ work: () => work().then(resolve, reject), counts: false }));
  }

  /** Resolves when nothing runs or waits. */
  idle(): Promise<void> {
    if (!this.#running && this.#waiting.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #push(entry: Entry): void {
    this.#waiting.push(entry);
    // later in this turn: whoever added it may follow its events from the first one on
    queueMicrotask(() => this.#next());
  }

  #next(): void {
    if (this.#running) return;
    this.#running = this.#waiting.shift();
    if (!this.#running) {
      for (const resolve of this.#idle.splice(0)) resolve();
      return;
    }
    const ended = (): void => {
      this.#running = undefined;
      this.#next();
    };
    this.#running.work().then(ended, ended);
  }
}
